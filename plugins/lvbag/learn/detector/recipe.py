"""What a detector's recipe says (`kind: detector`)."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from lvbag.learn.recipe_fields import Batch, Degrees, Epochs, Rate, RecipeModel, Share, Warmup, WeightDecay

Network = Literal["yolo11p", "yolo11n", "yolo11s", "yolo11m"]
NETWORKS: tuple[str, ...] = get_args(Network)
"""What a detector may be."""


class DetectorAugment(RecipeModel):
    """How training pictures of the detector vary (ultralytics' names in its own units are beside the meaning)."""

    mosaic: Share = Field(default=0.0, description="chance of four pictures in one; short trainings lose by it")
    flip: Share = Field(default=0.5, description="chance of a mirror image (fliplr)")
    scale: Share = Field(default=0.3, description="zoom in or out up to this share (scale)")
    translate: Share = Field(default=0.1, description="shift up to this share of the side (translate)")
    rotate_deg: Degrees = Field(default=0.0, description="up to this angle either way (degrees)")
    saturation: Share = Field(default=0.4, description="change of saturation (hsv_s)")
    brightness: Share = Field(default=0.3, description="change of brightness (hsv_v)")


class DetectorScenes(RecipeModel):
    """Training pictures that are composed of cut-out objects and other scenes (`lvbag.learn.detector.scenes`)."""

    per_picture: Annotated[float, Field(ge=0.0, le=100.0)] = Field(
        default=0.0, description="composed pictures for each labelled one; they count as pictures of an epoch"
    )
    photographed: Share = Field(
        default=0.6, description="of the scenes that are cut from photographs without bags; the others are drawn"
    )
    worn: Share = Field(default=0.45, description="of the first objects of a scene, on the back of a drawn person")


class DetectorRecipe(RecipeModel):
    """How a detector is trained (`kind: detector`)."""

    kind: Literal["detector"]
    model: Network = Field(default="yolo11n", description="p is half of n in width, for small pictures on a CPU")
    start: Literal["scratch", "champion", "pretrained"] = Field(
        default="scratch",
        description="champion: its weights, or scratch while there is none; pretrained: those that `lvbag detector "
        "weights add` brought in for this network, else the hub's where train.pretrained allows it",
    )
    image_side_px: Annotated[int, Field(ge=32, le=1280, multiple_of=32)] = 640
    epochs: Epochs = 100
    batch: Batch = Field(default=8, description="also ultralytics' nominal batch: it does not gather gradients")
    optimizer: Literal["sgd", "adamw"] = "adamw"
    learning_rate: Rate = 0.002
    weight_decay: WeightDecay = 5e-4
    warmup_epochs: Warmup = 1
    augment: DetectorAugment = DetectorAugment()
    scenes: DetectorScenes = DetectorScenes()
