"""Run make_musicgen.py with weights rounded to a half type, or with the older weight-norm names.

    python make_variant.py OUT_DIR {float16,bfloat16,weight_g} [options of make_musicgen.py]

The golden values are those of the rounded weights; the file then holds them in that type.
"""
import os, runpy, sys, torch
from safetensors.torch import load_file, save_file
from transformers import MusicgenForConditionalGeneration

out, variant = sys.argv[1], sys.argv[2]
save = MusicgenForConditionalGeneration.save_pretrained


def rounded_save(model, *arguments, **options):
    if variant != "weight_g":
        with torch.no_grad():
            for tensor in model.state_dict().values():  # not the table of positions, which no file holds
                if tensor.is_floating_point():
                    tensor.copy_(tensor.to(getattr(torch, variant)).float())
    save(model, *arguments, **options)


MusicgenForConditionalGeneration.save_pretrained = rounded_save
sys.argv = ["make_musicgen.py", out, *sys.argv[3:]]
runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)), "make_musicgen.py"), run_name="__main__")
path = os.path.join(out, "model", "model.safetensors")
tensors = load_file(path)
if variant == "weight_g":
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    for old, new in names.items():
        tensors = {name.replace(old, new): tensor for name, tensor in tensors.items()}
else:
    tensors = {name: tensor.to(getattr(torch, variant)) for name, tensor in tensors.items()}
save_file(tensors, path, metadata={"format": "pt"})
