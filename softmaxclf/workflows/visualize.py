"""`softmaxclf visualize-weights`: the templates of a saved model as a picture."""

from pathlib import Path

from softmaxclf.model_file import load_model, model_path
from softmaxclf.workflows.pictures import draw_weights


def visualize(path: Path, *, view: str = "shared", out: Path | None = None) -> Path:
    """Draw the templates of the model at `path`; returns the picture's path."""
    model = load_model(path)
    name = "templates.png" if view == "shared" else f"templates-{view}.png"
    out = out or model_path(path).with_name(name)
    draw_weights(model, out, f"softmaxclf visualize-weights {path} --view {view}", view=view)
    return out
