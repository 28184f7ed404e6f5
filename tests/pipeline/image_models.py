"""Tiny random networks of the image families and their tokenizers. Sizes on which single files keep silent (heads,
groups, waves) follow the published models in sd15, sd21, sdxl, sd3 and flux_dev; in the others they do not."""

import ast
import json
import re
import types
from pathlib import Path

import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, EulerDiscreteScheduler, FluxTransformer2DModel
from diffusers import FlowMatchEulerDiscreteScheduler, LCMScheduler, PNDMScheduler, SD3Transformer2DModel
from diffusers import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer, T5Config
from transformers import T5EncoderModel, T5TokenizerFast
from transformers.convert_slow_tokenizer import bytes_to_unicode

TESTS = Path(__file__).resolve().parents[1]
TOKENIZERS = TESTS.parent / "configs" / "tokenizers"
CROSS, PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"


def definitions_of(script):
    """What another reference script defines; its run, the call at its end, is left out."""
    tree = ast.parse((TESTS / script).read_text())
    tree.body = [node for node in tree.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))]
    module = types.ModuleType(script)
    exec(compile(tree, script, "exec"), module.__dict__)
    return module


shared = definitions_of("pipeline/pipeline_reference.py")
shaken, picture, SENTENCES = shared.shaken, shared.picture, shared.SENTENCES


def word_tokenizer(folder, pad="<|endoftext|>"):
    """CLIP's kind of vocabulary with the words of SENTENCES, in the two files that OpenAI publishes."""
    letters = list(bytes_to_unicode().values())
    pieces, merges = letters + [letter + "</w>" for letter in letters], []
    for word in sorted({word for sentence in SENTENCES for word in re.findall("[a-z]+", sentence)}):
        left = word[0]
        for place, letter in enumerate(word[1:], 2):
            right = letter + ("</w>" if place == len(word) else "")
            if (left, right) not in merges:
                merges.append((left, right))
                pieces.append(left + right)
            left += right
    pieces = list(dict.fromkeys(pieces)) + ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": pad}))
    return CLIPTokenizer.from_pretrained(folder, model_max_length=77, pad_token=pad)


def clip_text(tokenizer, width, seed, projection=None, heads=1, act="gelu", layers=3):
    config = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=2 * width, num_hidden_layers=layers,
        num_attention_heads=heads, max_position_embeddings=77, hidden_act=act, projection_dim=projection or width,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    return shaken((CLIPTextModelWithProjection if projection else CLIPTextModel)(config), seed)


def t5_text(tokenizer, width, seed, vocabulary=None):
    return shaken(T5EncoderModel(T5Config(
        vocab_size=vocabulary or len(tokenizer), d_model=width, d_kv=12, d_ff=56, num_layers=2, num_heads=3,
        feed_forward_proj="gated-gelu")), seed)


def autoencoder(seed, channels=(32, 32, 64, 32), groups=32, latents=4, **options):
    levels = len(channels)
    blocks = dict(down_block_types=["DownEncoderBlock2D"] * levels, up_block_types=["UpDecoderBlock2D"] * levels)
    vae = shaken(AutoencoderKL(**blocks, block_out_channels=channels, layers_per_block=1, latent_channels=latents,
                               norm_num_groups=groups, **options), seed)
    with torch.no_grad():
        # Pictures within their range, and latents that are drawn rather than told.
        vae.decoder.conv_out.weight.mul_(0.5)
        variances = vae.quant_conv if vae.quant_conv is not None else vae.encoder.conv_out
        variances.bias[latents:] -= 3
    return vae


def unet(down, channels, heads, context, seed, groups=32, **options):
    up = [name.replace("Down", "Up") for name in reversed(down)]
    return shaken(UNet2DConditionModel(
        down_block_types=down, up_block_types=up, block_out_channels=channels, attention_head_dim=heads, sample_size=64,
        layers_per_block=1, cross_attention_dim=context, norm_num_groups=groups, **options), seed)


def control_net(base, seed, **options):
    return shaken(ControlNetModel.from_unet(base, conditioning_embedding_out_channels=(4, 6, 8, 10), **options), seed)


def added(waves, pooled, sizes):
    return dict(addition_embed_type="text_time", addition_time_embed_dim=waves, use_linear_projection=True,
                projection_class_embeddings_input_dim=pooled + sizes * waves)


# The scheduler_config.json of the published models.
BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
PNDM = PNDMScheduler(**BETAS, skip_prk_steps=True, set_alpha_to_one=False, steps_offset=1)
DDIM_V = DDIMScheduler(**BETAS, clip_sample=False, set_alpha_to_one=False, steps_offset=1,
                       prediction_type="v_prediction")
EULER_XL = EulerDiscreteScheduler(**BETAS, timestep_spacing="leading", steps_offset=1)
LCM = LCMScheduler(**BETAS, clip_sample=False, set_alpha_to_one=True, steps_offset=1)
FLOW_SD3 = FlowMatchEulerDiscreteScheduler(shift=3.0)
FLOW_SCHNELL = FlowMatchEulerDiscreteScheduler(shift=1.0, base_shift=0.5, max_shift=1.15, max_image_seq_len=4096)
FLOW_DEV = FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15)


class Parts:
    """The components of each model, made when first asked for and shared by those that have them in common."""

    def __init__(self, out):
        self.words = word_tokenizer(out / "words")
        self.words_pad = word_tokenizer(out / "words_pad", "!")
        self.clip = CLIPTokenizer.from_pretrained(TOKENIZERS / "clip", model_max_length=77)
        self.t5 = T5TokenizerFast.from_pretrained(TOKENIZERS / "t5")
        self.spiece = shared.tokenizer(out / "spiece")
        # Latent spaces as published.
        self.vae_sd = autoencoder(1)
        self.vae_xl = autoencoder(2, scaling_factor=0.13025)
        plain = dict(latents=16, use_quant_conv=False, use_post_quant_conv=False)
        self.vae_sd3 = autoencoder(3, scaling_factor=1.5305, shift_factor=0.0609, **plain)
        self.vae_flux = autoencoder(4, scaling_factor=0.3611, shift_factor=0.1159, **plain)
        self.vae_other = autoencoder(5, (16, 24, 24, 8), groups=8, scaling_factor=0.3)
        self.xl_texts = dict(tokenizer=self.clip, tokenizer_2=self.clip, text_encoder=clip_text(self.clip, 24, 11),
                             text_encoder_2=clip_text(self.clip, 32, 12, projection=32))

    def sd15(self):
        return dict(vae=self.vae_sd, tokenizer=self.words, text_encoder=clip_text(self.words, 32, 10),
                    unet=unet([CROSS, CROSS, PLAIN], (32, 32, 64), 8, 32, 20), scheduler=PNDM)

    def sd15_inpainting(self):
        return dict(vae=self.vae_other, tokenizer=self.words, scheduler=PNDM,
                    text_encoder=clip_text(self.words, 24, 13, heads=3, act="quick_gelu"),
                    unet=unet([CROSS, PLAIN], (16, 32), 4, 24, 21, groups=8, in_channels=9))

    def sd21(self):
        return dict(vae=self.vae_sd, tokenizer=self.words_pad, text_encoder=clip_text(self.words_pad, 64, 14),
                    unet=unet([CROSS, CROSS, PLAIN], (32, 64, 64), (1, 1, 1), 64, 22, use_linear_projection=True,
                              upcast_attention=True), scheduler=DDIM_V)

    def sdxl(self):
        return dict(vae=self.vae_xl, **self.xl_texts, scheduler=EULER_XL,
                    unet=unet([PLAIN, CROSS, CROSS], (32, 32, 64), (1, 1, 1), 56, 23, **added(256, 32, 6),
                              transformer_layers_per_block=[1, 1, 2]))

    def sdxl_inpainting(self):
        texts = dict(tokenizer=self.words, text_encoder=clip_text(self.words, 24, 15, heads=2, act="quick_gelu"),
                     tokenizer_2=self.words_pad,
                     text_encoder_2=clip_text(self.words_pad, 36, 16, projection=20, heads=3))
        return dict(vae=self.vae_other, **texts, scheduler=EULER_XL,
                    unet=unet([PLAIN, CROSS], (16, 32), (2, 4), 60, 24, groups=8, in_channels=9, **added(8, 20, 6)))

    def refiner(self):
        return dict(vae=self.vae_xl, tokenizer=None, text_encoder=None, tokenizer_2=self.words_pad,
                    text_encoder_2=clip_text(self.words_pad, 40, 17, projection=40, heads=5), scheduler=EULER_XL,
                    unet=unet([PLAIN, CROSS, PLAIN], (16, 32, 32), (2, 4, 4), 40, 25, groups=8, **added(12, 40, 5),
                              transformer_layers_per_block=2))

    def lcm(self):
        return dict(self.sd15(), scheduler=LCM,
                    unet=unet([CROSS, PLAIN], (16, 32), 4, 32, 26, groups=8, time_cond_proj_dim=16))

    def sd3(self):
        large = clip_text(self.clip, 24, 11, projection=24)
        with torch.no_grad():
            large.text_projection.weight.copy_(torch.eye(24))  # diffusers' stand-in for a file that has none
        transformer = SD3Transformer2DModel(
            sample_size=128, patch_size=2, in_channels=16, out_channels=16, num_layers=2, attention_head_dim=64,
            num_attention_heads=2, joint_attention_dim=64, caption_projection_dim=128, pooled_projection_dim=56,
            pos_embed_max_size=12)
        return dict(vae=self.vae_sd3, tokenizer=self.clip, text_encoder=large, tokenizer_2=self.clip,
                    text_encoder_2=self.xl_texts["text_encoder_2"], tokenizer_3=self.t5,
                    text_encoder_3=t5_text(self.t5, 64, 18, vocabulary=32128), transformer=shaken(transformer, 30),
                    scheduler=FLOW_SD3)

    def sd35(self):
        transformer = SD3Transformer2DModel(
            sample_size=16, patch_size=2, in_channels=16, out_channels=16, num_layers=3, attention_head_dim=20,
            num_attention_heads=3, joint_attention_dim=72, caption_projection_dim=60, pooled_projection_dim=50,
            pos_embed_max_size=10, qk_norm="rms_norm", dual_attention_layers=(0, 1))
        return dict(vae=self.vae_sd3, tokenizer=self.words, tokenizer_2=self.words_pad, tokenizer_3=self.spiece,
                    text_encoder=clip_text(self.words, 24, 40, projection=20, heads=3, act="quick_gelu"),
                    text_encoder_2=clip_text(self.words_pad, 32, 41, projection=30, heads=4),
                    text_encoder_3=t5_text(self.spiece, 72, 42), transformer=shaken(transformer, 31),
                    scheduler=FLOW_SD3)

    def flux_dev(self):
        heads = dict(axes_dims_rope=(16, 56, 56), attention_head_dim=128, num_attention_heads=1)
        return dict(vae=self.vae_flux, scheduler=FLOW_DEV, tokenizer=self.clip, tokenizer_2=self.t5,
                    text_encoder=clip_text(self.clip, 24, 11),
                    text_encoder_2=t5_text(self.t5, 40, 19, vocabulary=32128),
                    transformer=self.flux(33, **heads, joint_attention_dim=40, pooled_projection_dim=24,
                                          guidance_embeds=True))

    def flux_schnell(self):
        return dict(self.flux_small_texts(), scheduler=FLOW_SCHNELL, transformer=self.flux(34))

    def flux_fill(self):
        return dict(self.flux_small_texts(), scheduler=FLOW_DEV,
                    transformer=self.flux(35, guidance_embeds=True, in_channels=64 + 64 + 256))

    def flux_small_texts(self):
        return dict(vae=self.vae_flux, tokenizer=self.words, tokenizer_2=self.spiece,
                    text_encoder=clip_text(self.words, 28, 43, heads=4, act="quick_gelu"),
                    text_encoder_2=t5_text(self.spiece, 36, 44))

    def flux(self, seed, **options):
        sizes = dict(in_channels=64, out_channels=64, num_layers=2, num_single_layers=2, attention_head_dim=20,
                     num_attention_heads=3, joint_attention_dim=36, pooled_projection_dim=28, axes_dims_rope=(4, 10, 6))
        return shaken(FluxTransformer2DModel(**{**sizes, **options}), seed)
