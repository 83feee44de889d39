"""The odd pictures of a night's products, found by an autoencoder that learns to redraw all of them."""
