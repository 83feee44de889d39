"""Training recipes: `recipes/<name>.yaml` of the configuration, else the project's own.

A recipe says everything that shapes a model beside the data and the seed. Its digest is part of the training's key, so
the same recipe on the same data is trained once, and a comment may be changed without training again.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lvbag.errors import LvbagError
from lvbag.settings import PROJECT_ROOT, config_dir

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Epochs = Annotated[int, Field(ge=0, le=1000, description="0 leaves the model untrained: the gate must refuse it")]
Batch = Annotated[int, Field(ge=2, le=4096)]
Rate = Annotated[float, Field(gt=0.0, le=10.0)]
WeightDecay = Annotated[float, Field(ge=0.0, le=1.0)]
Degrees = Annotated[float, Field(ge=0.0, le=180.0)]


Network = Literal["yolo11p", "yolo11n", "yolo11s", "yolo11m"]
NETWORKS: tuple[str, ...] = get_args(Network)
"""What a detector may be."""


class RecipeError(LvbagError):
    """A recipe is missing or holds a value that is not allowed."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassifierAugment(_Model):
    """How training pictures of the classifier vary. There is no change of hue: colour tells products apart."""

    scale: tuple[Share, Share] = Field(default=(0.6, 1.0), description="area that a random crop keeps, least and most")
    flip: bool = Field(default=True, description="mirror every other picture")
    colour_jitter: Share = Field(default=0.1, description="brightness and contrast, up to this share up or down")
    rotate_deg: Degrees = Field(default=10.0, description="up to this angle either way")

    @model_validator(mode="after")
    def _ordered(self) -> ClassifierAugment:
        if not 0.05 <= self.scale[0] <= self.scale[1]:
            raise ValueError("scale must be least and most share of the area, 0.05 to 1, least first")
        return self


class ClassifierRecipe(_Model):
    """How a classifier is trained (`kind: classifier`)."""

    kind: Literal["classifier"]
    model: str = Field(pattern=r"^[a-z0-9_]{2,64}$", description="timm's name of the architecture, without weights")
    image_side_px: Annotated[int, Field(ge=32, le=1024)] = 224
    epochs: Epochs = 30
    batch: Batch = 64
    optimizer: Literal["sgd", "adamw"] = Field(default="sgd", description="sgd has Nesterov momentum 0.9")
    learning_rate: Rate = 0.08
    weight_decay: WeightDecay = 1e-4
    warmup_epochs: Annotated[int, Field(ge=0, le=100)] = 2
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    augment: ClassifierAugment = ClassifierAugment()


class DetectorAugment(_Model):
    """How training pictures of the detector vary (ultralytics' names in its own units are beside the meaning)."""

    mosaic: Share = Field(default=0.0, description="chance of four pictures in one; short trainings lose by it")
    flip: Share = Field(default=0.5, description="chance of a mirror image (fliplr)")
    scale: Share = Field(default=0.3, description="zoom in or out up to this share (scale)")
    translate: Share = Field(default=0.1, description="shift up to this share of the side (translate)")
    rotate_deg: Degrees = Field(default=0.0, description="up to this angle either way (degrees)")
    saturation: Share = Field(default=0.4, description="change of saturation (hsv_s)")
    brightness: Share = Field(default=0.3, description="change of brightness (hsv_v)")


class DetectorScenes(_Model):
    """Training pictures that are composed of cut-out objects and other scenes (`lvbag.learn.scenes`)."""

    per_picture: Annotated[float, Field(ge=0.0, le=100.0)] = Field(
        default=0.0, description="composed pictures for each labelled one; they count as pictures of an epoch"
    )
    photographed: Share = Field(
        default=0.6, description="of the scenes that are cut from photographs without bags; the others are drawn"
    )
    worn: Share = Field(default=0.45, description="of the first objects of a scene, on the back of a drawn person")


class DetectorRecipe(_Model):
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
    warmup_epochs: Annotated[int, Field(ge=0, le=100)] = 1
    augment: DetectorAugment = DetectorAugment()
    scenes: DetectorScenes = DetectorScenes()


Recipe = TypeVar("Recipe", ClassifierRecipe, DetectorRecipe)


def load_classifier_recipe(name: str) -> ClassifierRecipe:
    """The classifier recipe of a name; raises `RecipeError` with file, field, value and what is allowed."""
    return _load(name, ClassifierRecipe)


def load_detector_recipe(name: str) -> DetectorRecipe:
    """The detector recipe of a name; raises `RecipeError` with file, field, value and what is allowed."""
    return _load(name, DetectorRecipe)


def recipe_digest(recipe: ClassifierRecipe | DetectorRecipe) -> str:
    """Sha256 over the recipe's values, defaults included; comments and the order of lines do not count."""
    return hashlib.sha256(json.dumps(recipe.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def recipe_path(name: str) -> Path:
    """The file of a recipe; raises `RecipeError` naming the recipes that there are."""
    if not _NAME.fullmatch(name):
        raise RecipeError(f"{name!r} is no recipe's name: letters, digits, '_' and '-', at most 64")
    folders = list(dict.fromkeys((config_dir() / "recipes", PROJECT_ROOT / "config" / "recipes")))
    for folder in folders:
        if (path := folder / f"{name}.yaml").is_file():
            return path
    known = sorted({path.stem for folder in folders if folder.is_dir() for path in folder.glob("*.yaml")})
    raise RecipeError(f"there is no recipe {name!r} in {folders[0]}; there are: {', '.join(known) or 'none'}")


def _load(name: str, model: type[Recipe]) -> Recipe:
    path = recipe_path(name)
    try:
        values: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{path} must hold fields by name, found {type(values).__name__}")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RecipeError(_explain(error, path)) from None


def _explain(error: ValidationError, path: Path) -> str:
    rows = []
    for item in error.errors():
        field = ".".join(str(part) for part in item["loc"]) or "recipe"
        if item["type"] == "extra_forbidden":
            rows.append(f"{field}: there is no such field")
        elif item["type"] == "missing":
            rows.append(f"{field}: is missing")
        else:
            allowed = item["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
            rows.append(f"{field} = {item.get('input')!r}: {allowed}")
    return f"{path}:\n  " + "\n  ".join(rows)
