"""Tiny random Wan models as diffusers and transformers save them, the same weights as Wan's own release spells them, and
what the diffusers pipelines make of them. Usage: pipeline_reference.py OUT_DIR"""

import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import sentencepiece
import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanImageToVideoPipeline, WanPipeline
from diffusers import WanTransformer3DModel
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModel, T5TokenizerFast, UMT5Config, UMT5EncoderModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

OUT = Path(sys.argv[1])
HEIGHT, WIDTH, FRAMES, STEPS, SEED, SHIFT, SCALE = 32, 48, 9, 4, 7, 3.0, 4.0
PROMPT, NEGATIVE = "the cat  jumps on a red box", "blurred, low quality"
SENTENCES = [
    "a red balloon rises over the quiet town", "the cat jumps on a green box", "two dogs run through tall grass at noon",
    "a glass flower slowly opens its petals", "waves break on the dark shore", "the moon turns and the stars fade",
    "camera shake, low quality, blurred picture", "static frame, worst quality, overexposed",
]  # fmt: skip


def tokenizer(folder):
    folder.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 4), model_prefix=str(folder / "spiece"), vocab_size=120, model_type="unigram",
        pad_id=0, eos_id=1, bos_id=2, unk_id=3, pad_piece="<pad>", eos_piece="</s>", bos_piece="<s>", unk_piece="<unk>",
        hard_vocab_limit=False, minloglevel=2)  # fmt: skip
    (folder / "spiece.vocab").unlink()
    return T5TokenizerFast.from_pretrained(folder, extra_ids=0)


def shaken(module, seed):
    """Weights large enough that every part changes the result by more than the tolerance."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            fan_in = weight[0].numel() if weight.dim() > 1 else 0
            spread = 1.2 / max(fan_in, 1) ** 0.5 if fan_in > 1 else 0.1
            noise = torch.randn(weight.shape, generator=generator) * spread
            is_scale = re.search(r"(norm\w*|gamma|layernorm|layer_norm\w*|layrnorm)\.(weight|gamma)$|gamma$", name)
            weight.copy_(1 + noise if is_scale else noise)
    return module.eval()


def transformer(in_channels, image, positions, seed):
    return shaken(WanTransformer3DModel(
        num_attention_heads=2, attention_head_dim=24, in_channels=in_channels, out_channels=16, text_dim=40, freq_dim=32,
        ffn_dim=72, num_layers=2, image_dim=128 if image else None, added_kv_proj_dim=48 if image else None,
        pos_embed_seq_len=positions), seed)  # fmt: skip


def picture(width, height, seed):
    """Smooth colours with a hard edge, so that kernels, crops and orders of axes matter."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / width * a + y / height * b + c) for a, b, c in generator.uniform(1, 9, (3, 3))]
    pixels = np.stack(waves, -1) * 90 + 128
    pixels[height // 3 : height // 2, width // 5 : width // 2] = generator.uniform(0, 255, 3)
    return Image.fromarray(pixels.astype(np.uint8))


def renamed(state, rules):
    """Each name through the first rule whose pattern is the whole name; a name without a rule is an error."""
    result = {}
    for name, tensor in state.items():
        for pattern, target in rules:
            if re.fullmatch(pattern, name):
                result[re.sub(pattern, target, name) if isinstance(target, str) else target(re.fullmatch(pattern, name))] = tensor
                break
        else:
            raise KeyError(name)
    return result


BLOCK = r"blocks\.(\d+)\."
DIT = [
    (r"patch_embedding\.(\w+)", r"patch_embedding.\1"),
    (r"condition_embedder\.text_embedder\.linear_1\.(\w+)", r"text_embedding.0.\1"),
    (r"condition_embedder\.text_embedder\.linear_2\.(\w+)", r"text_embedding.2.\1"),
    (r"condition_embedder\.time_embedder\.linear_1\.(\w+)", r"time_embedding.0.\1"),
    (r"condition_embedder\.time_embedder\.linear_2\.(\w+)", r"time_embedding.2.\1"),
    (r"condition_embedder\.time_proj\.(\w+)", r"time_projection.1.\1"),
    (r"condition_embedder\.image_embedder\.norm1\.(\w+)", r"img_emb.proj.0.\1"),
    (r"condition_embedder\.image_embedder\.ff\.net\.0\.proj\.(\w+)", r"img_emb.proj.1.\1"),
    (r"condition_embedder\.image_embedder\.ff\.net\.2\.(\w+)", r"img_emb.proj.3.\1"),
    (r"condition_embedder\.image_embedder\.norm2\.(\w+)", r"img_emb.proj.4.\1"),
    (r"condition_embedder\.image_embedder\.pos_embed", r"img_emb.emb_pos"),
    (BLOCK + r"scale_shift_table", r"blocks.\1.modulation"),
    (BLOCK + r"attn1\.to_([qkv])\.(\w+)", r"blocks.\1.self_attn.\2.\3"),
    (BLOCK + r"attn1\.to_out\.0\.(\w+)", r"blocks.\1.self_attn.o.\2"),
    (BLOCK + r"attn1\.(norm_[qk])\.weight", r"blocks.\1.self_attn.\2.weight"),
    (BLOCK + r"attn2\.to_([qkv])\.(\w+)", r"blocks.\1.cross_attn.\2.\3"),
    (BLOCK + r"attn2\.to_out\.0\.(\w+)", r"blocks.\1.cross_attn.o.\2"),
    (BLOCK + r"attn2\.(norm_[qk])\.weight", r"blocks.\1.cross_attn.\2.weight"),
    (BLOCK + r"attn2\.add_([kv])_proj\.(\w+)", r"blocks.\1.cross_attn.\2_img.\3"),
    (BLOCK + r"attn2\.norm_added_k\.weight", r"blocks.\1.cross_attn.norm_k_img.weight"),
    (BLOCK + r"norm2\.(\w+)", r"blocks.\1.norm3.\2"),
    (BLOCK + r"ffn\.net\.0\.proj\.(\w+)", r"blocks.\1.ffn.0.\2"),
    (BLOCK + r"ffn\.net\.2\.(\w+)", r"blocks.\1.ffn.2.\2"),
    (r"proj_out\.(\w+)", r"head.head.\1"),
    (r"scale_shift_table", r"head.modulation"),
]
RES = [(r"norm1\.gamma", "residual.0.gamma"), (r"conv1\.(\w+)", r"residual.2.\1"), (r"norm2\.gamma", "residual.3.gamma"),
       (r"conv2\.(\w+)", r"residual.6.\1"), (r"conv_shortcut\.(\w+)", r"shortcut.\1")]  # fmt: skip


def in_block(rest):
    for pattern, target in RES:
        if re.fullmatch(pattern, rest):
            return re.sub(pattern, target, rest)
    return rest


def up_block(match):
    block, kind, index, rest = match.groups()
    place = 4 * int(block) + (int(index) if kind == "resnets" else 3)
    return f"decoder.upsamples.{place}.{in_block(rest)}"


VAE = [
    (r"quant_conv\.(\w+)", r"conv1.\1"),
    (r"post_quant_conv\.(\w+)", r"conv2.\1"),
    (r"(encoder|decoder)\.conv_in\.(\w+)", r"\1.conv1.\2"),
    (r"encoder\.down_blocks\.(\d+)\.(.+)", lambda m: f"encoder.downsamples.{m[1]}.{in_block(m[2])}"),
    (r"decoder\.up_blocks\.(\d+)\.(resnets|upsamplers)\.(\d+)\.(.+)", up_block),
    (r"(\w+)\.mid_block\.resnets\.(\d)\.(.+)", lambda m: f"{m[1]}.middle.{2 * int(m[2])}.{in_block(m[3])}"),
    (r"(\w+)\.mid_block\.attentions\.0\.(.+)", r"\1.middle.1.\2"),
    (r"(\w+)\.norm_out\.gamma", r"\1.head.0.gamma"),
    (r"(\w+)\.conv_out\.(\w+)", r"\1.head.2.\2"),
]
T5_BLOCK = r"encoder\.block\.(\d+)\.layer\."
T5 = [
    (r"shared\.weight", "token_embedding.weight"),
    (T5_BLOCK + r"0\.layer_norm\.weight", r"blocks.\1.norm1.weight"),
    (T5_BLOCK + r"0\.SelfAttention\.([qkvo])\.weight", r"blocks.\1.attn.\2.weight"),
    (T5_BLOCK + r"0\.SelfAttention\.relative_attention_bias\.weight", r"blocks.\1.pos_embedding.embedding.weight"),
    (T5_BLOCK + r"1\.layer_norm\.weight", r"blocks.\1.norm2.weight"),
    (T5_BLOCK + r"1\.DenseReluDense\.wi_0\.weight", r"blocks.\1.ffn.gate.0.weight"),
    (T5_BLOCK + r"1\.DenseReluDense\.wi_1\.weight", r"blocks.\1.ffn.fc1.weight"),
    (T5_BLOCK + r"1\.DenseReluDense\.wo\.weight", r"blocks.\1.ffn.fc2.weight"),
    (r"encoder\.final_layer_norm\.weight", "norm.weight"),
]
CLIP_LAYER = r"encoder\.layers\.(\d+)\."
CLIP = [
    (r"embeddings\.class_embedding", "visual.cls_embedding"),
    (r"embeddings\.position_embedding\.weight", "visual.pos_embedding"),
    (r"embeddings\.patch_embedding\.weight", "visual.patch_embedding.weight"),
    (r"pre_layrnorm\.(\w+)", r"visual.pre_norm.\1"),
    (CLIP_LAYER + r"layer_norm([12])\.(\w+)", r"visual.transformer.\1.norm\2.\3"),
    (CLIP_LAYER + r"self_attn\.qkv\.(\w+)", r"visual.transformer.\1.attn.to_qkv.\2"),
    (CLIP_LAYER + r"self_attn\.out_proj\.(\w+)", r"visual.transformer.\1.attn.proj.\2"),
    (CLIP_LAYER + r"mlp\.fc1\.(\w+)", r"visual.transformer.\1.mlp.0.\2"),
    (CLIP_LAYER + r"mlp\.fc2\.(\w+)", r"visual.transformer.\1.mlp.2.\2"),
    (r"post_layernorm\.(\w+)", r"visual.post_norm.\1"),
]


def official_clip(state):
    """q, k and v stacked; the text tower's entries and the unused head stand in as they do in the published file."""
    state = {name.removeprefix("vision_model."): tensor for name, tensor in state.items()}
    for name in [n for n in state if ".q_proj." in n]:
        parts = [state.pop(name.replace(".q_proj.", f".{p}_proj.")) for p in "qkv"]
        state[name.replace(".q_proj.", ".qkv.")] = torch.cat(parts)
    result = renamed(state, CLIP)
    result["visual.cls_embedding"] = result["visual.cls_embedding"].view(1, 1, -1)
    result["visual.pos_embedding"] = result["visual.pos_embedding"].unsqueeze(0)
    result["visual.head"] = torch.zeros(128, 12)
    result["textual.token_embedding.weight"] = torch.zeros(4, 8)
    result["log_scale"] = torch.zeros([])
    return {name: tensor.half().float() for name, tensor in result.items()}


def official_folder(folder, kind, dit, parts):
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in renamed(dit.state_dict(), DIT).items()}
    save_file(tensors, folder / "diffusion_pytorch_model.safetensors")
    config = {"_class_name": "WanModel", "_diffusers_version": "0.30.0", "model_type": kind, "text_len": 512,
              "in_dim": dit.config.in_channels, "dim": 48, "ffn_dim": 72, "freq_dim": 32, "out_dim": 16, "num_heads": 2,
              "num_layers": 2, "eps": 1e-6}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    text = {k: v for k, v in parts["text_encoder"].state_dict().items() if k != "encoder.embed_tokens.weight"}
    torch.save(renamed(text, T5), folder / "models_t5_umt5-xxl-enc-bf16.pth")
    torch.save(renamed(parts["vae"].state_dict(), VAE), folder / "Wan2.1_VAE.pth")
    if kind != "t2v":
        name = "models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth"
        torch.save(official_clip(parts["image_encoder"].state_dict()), folder / name)
    tokenizer(folder / "google" / "umt5-xxl")


def main():
    torch.manual_seed(0)
    OUT.mkdir(parents=True, exist_ok=True)
    tok = tokenizer(OUT / "spiece")
    text_encoder = shaken(UMT5EncoderModel(UMT5Config(
        vocab_size=128, d_model=40, d_kv=8, d_ff=56, num_layers=2, num_heads=3, is_gated_act=True,
        dense_act_fn="gelu_new", feed_forward_proj="gated-gelu", tie_word_embeddings=True)), 1)  # fmt: skip
    vae = shaken(AutoencoderKLWan(base_dim=8), 2)
    with torch.no_grad():
        vae.decoder.conv_out.weight.mul_(0.5)
    clip = shaken(CLIPVisionModel(CLIPVisionConfig(
        hidden_size=128, intermediate_size=96, num_hidden_layers=3, num_attention_heads=2, image_size=28, patch_size=14,
        hidden_act="gelu")), 3)  # fmt: skip
    with torch.no_grad():
        for weight in clip.parameters():
            weight.copy_(weight.half().float())
    processor = CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=SHIFT,
                                        num_train_timesteps=1000)  # fmt: skip
    parts = {"text_encoder": text_encoder, "vae": vae, "image_encoder": clip}
    other = AutoencoderKLWan(base_dim=8, z_dim=8, latents_mean=[0.0] * 8, latents_std=[1.0] * 8)
    shaken(other, 6).save_pretrained(OUT / "vae_z8")
    first, last = picture(80, 56, 4), picture(72, 60, 5)
    first.save(OUT / "first.png")
    last.save(OUT / "last.png")

    common = dict(tokenizer=tok, text_encoder=text_encoder, vae=vae, scheduler=scheduler)
    kinds = {
        "t2v": (16, False, None, {}),
        "i2v": (36, True, None, {"image": first}),
        "flf2v": (36, True, 10, {"image": first, "last_image": last}),
    }
    resized = np.asarray(first.resize((WIDTH, HEIGHT), Image.LANCZOS)).copy()
    tensors = {"flf2v.first_resized": torch.from_numpy(resized).permute(2, 0, 1).contiguous()}
    for number, (kind, (channels, image, positions, pictures)) in enumerate(kinds.items()):
        dit = transformer(channels, image, positions, 10 + number)
        if image:
            pipe = WanImageToVideoPipeline(**common, transformer=dit, image_encoder=clip, image_processor=processor)
        else:
            pipe = WanPipeline(**common, transformer=dit)
        pipe.set_progress_bar_config(disable=True)
        call = dict(prompt=PROMPT, negative_prompt=NEGATIVE, height=HEIGHT, width=WIDTH, num_frames=FRAMES,
                    num_inference_steps=STEPS, guidance_scale=SCALE, **pictures)  # fmt: skip
        with torch.no_grad():
            latents = pipe(**call, generator=torch.Generator().manual_seed(SEED), output_type="latent").frames
            frames = pipe(**call, generator=torch.Generator().manual_seed(SEED), output_type="np").frames[0]
        tensors[f"{kind}.latents"] = latents.contiguous()
        tensors[f"{kind}.frames"] = torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous()  # [T, 3, H, W] in [0, 1]
        print(kind, "frames: mean", float(frames.mean()), "spread", float(frames.std()), "at the ends",
              float(((frames == 0) | (frames == 1)).mean()), "latents spread", float(latents.std()))  # fmt: skip
        pipe.save_pretrained(OUT / kind)
        official_folder(OUT / f"official_{kind}", kind, dit, parts)
    save_file(tensors, OUT / "reference.safetensors")


main()
