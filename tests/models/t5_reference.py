"""Tiny random umT5 and T5 v1.1 encoders of transformers, saved as it saves them, with their outputs."""
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import T5Config, T5EncoderModel, UMT5Config, UMT5EncoderModel

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
sizes = dict(
    vocab_size=91, d_model=36, d_kv=10, num_heads=3, d_ff=56, num_layers=3, feed_forward_proj="gated-gelu",
    attn_implementation="eager",
)
tensors = {}
for name, model_class, config in (
    ("umt5", UMT5EncoderModel, UMT5Config(**sizes)),
    ("t5", T5EncoderModel, T5Config(**sizes)),
):
    torch.manual_seed(11)
    model = model_class(config).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.add_(torch.randn_like(parameter) * (0.3 if "relative_attention_bias" in key else 0.05))
        ids = torch.randint(0, 91, (2, 203))
        mask = torch.ones_like(ids)
        mask[1, 57:] = 0
        model.save_pretrained(out / name)
        tensors[f"{name}.ids"] = ids
        tensors[f"{name}.mask"] = mask.bool()
        tensors[f"{name}.masked"] = model(ids, attention_mask=mask).last_hidden_state
        tensors[f"{name}.whole"] = model(ids).last_hidden_state
save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, out / "tensors.safetensors")
