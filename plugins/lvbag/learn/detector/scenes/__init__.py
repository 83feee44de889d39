"""Labelled objects in scenes that nobody photographed: what a detector needs to know bags outside of its own shop.

Label sets show bags as one shop shows them, often on white, and a detector trained on them alone learns the shop: it
takes whatever lies in the middle for a bag and misses bags on people's backs. So objects are cut out along their
outline (`cutouts`), changed in size, shape, light and colour (`varying`), and put in front of other scenes
(`composing`): drawn ones (`drawn`), photographs without bags (`photographs`), on the back of drawn people (`wearers`),
among things that are no bags and partly behind them. After Dwibedi et al. 2017 (https://arxiv.org/abs/1708.01642, cut
and paste) and Tobin et al. 2017 (https://arxiv.org/abs/1703.06907, domain randomisation).

Everything follows from a seed. OpenCV is imported here, so this is for training processes alone.
"""
