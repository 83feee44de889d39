"""What a classifier's recipe says (`kind: classifier`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lvbag.learn.recipe_fields import Batch, Degrees, Epochs, Rate, Ratio, RecipeModel, Share, Warmup, WeightDecay

Optimizer = Literal["sgd", "momentum", "adam", "adamw", "nadamw", "radam", "adan", "lamb", "lars", "lion", "rmsprop"]
"""Of timm's, those that need nothing but gradients; `sgd` has Nesterov momentum."""

AUTOENCODER = "bag_autoencoder"
"""This project's own network beside timm's: the encoder of the search for outliers, and a linear layer."""


class ClassifierAugment(RecipeModel):
    """How training pictures of the classifier vary. There is no change of hue: colour tells products apart."""

    scale: tuple[Share, Share] = Field(default=(0.6, 1.0), description="area that a random crop keeps, least and most")
    ratio: tuple[Ratio, Ratio] = Field(
        default=(0.75, 4 / 3),
        description="width to height of that crop, least and most; the picture is stretched by it",
    )
    shift: Annotated[float, Field(ge=0.0, le=0.5)] = Field(
        default=0.0,
        description="moved across and down by up to this share of the side, by whole pixels; white comes in",
    )
    flip: bool = Field(default=True, description="mirror every other picture")
    colour_jitter: Share = Field(default=0.1, description="brightness and contrast, up to this share up or down")
    rotate_deg: Degrees = Field(default=10.0, description="up to this angle either way")
    randaugment: Annotated[float, Field(ge=0.0, le=10.0)] = Field(
        default=0.0, description="magnitude of RandAugment, in timm's measure, without what changes hue; 0 off"
    )
    randaugment_layers: Annotated[int, Field(ge=1, le=4)] = Field(
        default=2, description="operations of RandAugment on a picture, each with a chance of one half"
    )

    @model_validator(mode="after")
    def _ordered(self) -> ClassifierAugment:
        if not 0.05 <= self.scale[0] <= self.scale[1]:
            raise ValueError("scale must be least and most share of the area, 0.05 to 1, least first")
        if not self.ratio[0] <= self.ratio[1]:
            raise ValueError("ratio must be least and most width to height, least first")
        return self


class ClassifierRecipe(RecipeModel):
    """How a classifier is trained (`kind: classifier`)."""

    kind: Literal["classifier"]
    model: str = Field(
        pattern=r"^[a-z0-9_]{2,60}(\.[a-z0-9_]+)?$",
        max_length=60,  # it stands in an object's key
        description="timm's name of the architecture; behind a dot, if need be, the tag of its pretrained weights",
    )
    start: Literal["scratch", "champion", "pretrained", "outliers"] = Field(
        default="scratch",
        description="champion: its weights, products that both know keep their outputs, or scratch while there is none "
        "of this architecture; pretrained: those that `lvbag classifier weights add` brought in for this model, else "
        "the hub's where train.pretrained allows it; outliers: the encoder that the search for outliers trained",
    )
    freeze: bool = Field(
        default=False, description="linear probing: only the outputs learn, all else stays as it began"
    )
    image_side_px: Annotated[int, Field(ge=32, le=1024)] = 224
    epochs: Epochs = 30
    batch: Batch = Field(default=64, description="pictures of one step of the optimizer, over all processes")
    accumulate: Annotated[int, Field(ge=1, le=256)] = Field(
        default=1, description="parts in which a batch goes through the network: less memory for the same step"
    )
    optimizer: Optimizer = Field(default="sgd", description="by timm's name; sgd has Nesterov momentum 0.9")
    learning_rate: Rate = 0.08
    weight_decay: WeightDecay = 1e-4
    layer_decay: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=1.0, description="factor of the learning rate from a layer to the one before it; for fine-tuning"
    )
    warmup_epochs: Warmup = 2
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    mixup: Annotated[float, Field(ge=0.0, le=8.0)] = Field(
        default=0.0, description="alpha of mixup (arXiv:1710.09412); 0 off"
    )
    cutmix: Annotated[float, Field(ge=0.0, le=8.0)] = Field(
        default=0.0, description="alpha of CutMix (arXiv:1905.04899), by turns with mixup where both are on; 0 off"
    )
    unmixed: Share = Field(default=0.2, description="of the epochs, at the end, that are without mixup and CutMix")
    ema: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.0,
        description="decay of the average of the weights that becomes the model, warmed up; 0 takes the last weights",
    )
    sampling: Literal["natural", "balanced"] = Field(
        default="natural", description="balanced: every product as often as any other in an epoch"
    )
    logit_adjustment: Annotated[float, Field(ge=0.0, le=4.0)] = Field(
        default=0.0, description="tau of the loss that is adjusted for rare products (arXiv:2007.07314); 0 off"
    )
    amp: Literal["auto", "bf16", "off"] = Field(default="auto", description="auto: bf16 on a CUDA device that has it")
    channels_last: bool = Field(default=True, description="memory in the order that convolutions like")
    compile: bool = Field(default=False, description="torch.compile; for long trainings on a GPU")
    augment: ClassifierAugment = ClassifierAugment()

    @model_validator(mode="after")
    def _can_be_shared(self) -> ClassifierRecipe:
        if self.accumulate * 2 > self.batch:
            raise ValueError(f"accumulate must leave two pictures of a batch of {self.batch} to each part")
        return self

    @model_validator(mode="after")
    def _rare_once(self) -> ClassifierRecipe:
        if self.sampling == "balanced" and self.logit_adjustment:
            raise ValueError("sampling: balanced and logit_adjustment both make up for rare products; take one of them")
        return self

    @model_validator(mode="after")
    def _begins_somewhere(self) -> ClassifierRecipe:
        if self.freeze and self.start == "scratch":
            raise ValueError("freeze: true leaves weights as they began, so it needs a start other than scratch")
        if self.start == "outliers" and self.model != AUTOENCODER:
            raise ValueError(f"start: outliers gives the weights of model: {AUTOENCODER}, of no other")
        return self

    @property
    def architecture(self) -> str:
        """The model without a tag of pretrained weights."""
        return self.model.partition(".")[0]
