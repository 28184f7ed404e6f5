"""What diffusers' pipelines make of prompts with tiny random text encoders, and a plain computation of attention weights
and chunks, which diffusers lacks. Usage: prompt_reference.py OUT_DIR
"""
import io
import json
import pathlib
import sys

import sentencepiece
import torch
import transformers
from diffusers import FluxPipeline, StableDiffusion3Pipeline, StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "text"))
import prompt_reference as syntax  # noqa: E402

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
PLAIN = ["a photo of the red cat on a hill, detailed art", "", " ".join(["the dog on a hill,"] * 30)]
NEGATIVE = "ultra red sky"
WEIGHTED = ["a (cat:1.4) on [hill] BREAK the (((sky)))", " ".join(["the (dog:0.3) on a [hill], art"] * 20), "(red:0)", "(a (cat:-2) dog:1.7), house"]
T5_LENGTH = 40
tensors, cases = {}, {"plain": PLAIN, "negative": NEGATIVE, "weighted": WEIGHTED, "t5_length": T5_LENGTH}


def keep(name, tensor):
    tensors[name] = tensor.detach().float().contiguous().clone()


def clip_encoder(name, seed, tokenizer, model_class, **options):
    torch.manual_seed(seed)
    vocabulary = tokenizer.get_vocab()
    config = transformers.CLIPTextConfig(
        vocab_size=len(vocabulary), intermediate_size=72, num_attention_heads=3, max_position_embeddings=77,
        bos_token_id=vocabulary["<|startoftext|>"], eos_token_id=vocabulary["<|endoftext|>"], **options)
    model = model_class(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(out / name)
    return model


def t5_encoder():
    model = io.BytesIO()
    sentences = [" ".join(syntax.WORDS[i:] + syntax.WORDS[:i]) + ", ." for i in range(len(syntax.WORDS))] + PLAIN + WEIGHTED
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences * 4), model_writer=model, vocab_size=80, model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        hard_vocab_limit=False, minloglevel=2, num_threads=1)
    folder = out / "t5_tokenizer"
    folder.mkdir(exist_ok=True)
    (folder / "spiece.model").write_bytes(model.getvalue())
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "T5Tokenizer", "extra_ids": 0, "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}))
    tokenizer = transformers.T5Tokenizer.from_pretrained(folder)
    torch.manual_seed(4)
    encoder = transformers.T5EncoderModel(transformers.T5Config(
        vocab_size=200, d_model=110, d_kv=10, num_heads=3, d_ff=56, num_layers=2, feed_forward_proj="gated-gelu")).eval()
    encoder.save_pretrained(out / "t5")
    return tokenizer, encoder


def states_of(model, ids):
    """Hidden states and pooled output (projected where the class projects)."""
    with torch.no_grad():
        output = model(torch.tensor(ids), output_hidden_states=True)
    pooled = output.text_embeds if hasattr(output, "text_embeds") else output.pooler_output
    return output.hidden_states, pooled


def norm_of(model):
    return next(module for name, module in model.named_modules() if name.endswith("final_layer_norm"))


def weighted(model, tokenizer, prompt, skip, normed):
    """Chunks one by one, the weights applied in double precision."""
    parts = []
    for ids, weights in syntax.chunks(tokenizer, syntax.read(prompt), 77, 20):
        state = states_of(model, [ids])[0][-skip]
        with torch.no_grad():
            state = (norm_of(model)(state) if normed else state).double()
        scaled = state * torch.tensor(weights, dtype=torch.float64)[None, :, None]
        parts.append(scaled * (state.mean() / scaled.mean()))
    return torch.cat(parts, 1)


def sd1(tokenizer, model):
    pipe = StableDiffusionPipeline(None, model, tokenizer, None, None, None, None, requires_safety_checker=False)
    for i, prompt in enumerate(PLAIN):
        for skip in (None, 1, 2):
            try:
                found, negative = pipe.encode_prompt(prompt, "cpu", 1, True, NEGATIVE, clip_skip=skip)
            except AttributeError:  # transformers 5 has no text_model any more, which clip_skip looks for
                ids = tokenizer(prompt, padding="max_length", max_length=77, truncation=True).input_ids
                found = norm_of(model)(states_of(model, [ids])[0][-(skip + 1)])
            keep(f"sd1.{i}.{skip or 0}", found)
        keep("sd1.negative", negative)
    for i, prompt in enumerate(WEIGHTED):
        for skip in (1, 2):
            keep(f"sd1_weighted.{i}.{skip}", weighted(model, tokenizer, prompt, skip, True))


def sdxl(tokenizers, models):
    pipe = StableDiffusionXLPipeline(None, models[0], models[1], *tokenizers, None, None)
    for i, prompt in enumerate(PLAIN):
        for skip in (None, 1):
            found, negative, pooled, negative_pooled = pipe.encode_prompt(
                prompt, None, "cpu", 1, True, NEGATIVE, clip_skip=skip)
            keep(f"sdxl.{i}.{skip or 0}", found)
            keep(f"sdxl_pooled.{i}.{skip or 0}", pooled)
        keep("sdxl.negative", negative)
        keep("sdxl_pooled.negative", negative_pooled)
    for i, prompt in enumerate(WEIGHTED):
        keep(f"sdxl_weighted.{i}", torch.cat([weighted(m, t, prompt, 2, False) for m, t in zip(models, tokenizers)], 2))
        ids, _ = syntax.chunks(tokenizers[1], syntax.read(prompt), 77, 20)[0]
        keep(f"sdxl_weighted_pooled.{i}", states_of(models[1], [ids])[1])


def sd3(tokenizers, models, t5):
    transformer = type("T", (), {"config": type("C", (), {"joint_attention_dim": 110, "patch_size": 2, "sample_size": 8})()})()
    pipe = StableDiffusion3Pipeline(None, None, None, models[0], tokenizers[0], models[1], tokenizers[1], t5[1], t5[0])
    pipe.register_to_config(transformer=None)
    pipe.transformer = transformer
    for i, prompt in enumerate(PLAIN):
        for skip in (None, 1):
            found, _, pooled, _ = pipe.encode_prompt(
                prompt, prompt, prompt, device="cpu", do_classifier_free_guidance=False, clip_skip=skip, max_sequence_length=T5_LENGTH)
            keep(f"sd3.{i}.{skip or 0}", found)
            keep(f"sd3_pooled.{i}.{skip or 0}", pooled)


def flux(tokenizer, model, t5):
    pipe = FluxPipeline(None, None, model, tokenizer, t5[1], t5[0], None)
    for i, prompt in enumerate(PLAIN):
        found, pooled, _ = pipe.encode_prompt(prompt, prompt, device="cpu", max_sequence_length=T5_LENGTH)
        keep(f"flux.{i}", found)
        keep(f"flux_pooled.{i}", pooled)
    for i, prompt in enumerate(WEIGHTED[:1]):
        ids, weights = [], []
        for text, weight, _ in syntax.read(prompt):
            part = t5[0](text).input_ids[:-1]
            ids += part
            weights += [weight] * len(part)
        ids = ids[:T5_LENGTH - 1] + [1]
        weights = weights[:T5_LENGTH - 1] + [1.0]
        ids += [0] * (T5_LENGTH - len(ids))
        weights += [1.0] * (T5_LENGTH - len(weights))
        with torch.no_grad():
            state = t5[1](torch.tensor([ids])).last_hidden_state.double()
        keep(f"t5_weighted.{i}", state * torch.tensor(weights, dtype=torch.float64)[None, :, None])


def inversions(tokenizer, model):
    """Files in every layout, loaded by diffusers where it knows the layout."""
    folder = out / "embeddings"
    folder.mkdir(exist_ok=True)
    torch.manual_seed(9)
    width, three, one = model.config.hidden_size, None, None
    three, one = torch.randn(3, width), torch.randn(width)
    torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": torch.nn.Parameter(three)}, "name": "charm", "step": 7}, folder / "charm.pt")
    torch.save({"string_to_token": {"*": torch.tensor(265)}, "string_to_param": torch.nn.ParameterDict({"*": torch.nn.Parameter(three)})}, folder / "old.pt")
    save_file({"emb_params": three}, folder / "kohya.safetensors")
    torch.save({"<birb-style>": one}, folder / "learned_embeds.bin")
    save_file({"<birb-style>": one}, folder / "learned_embeds.safetensors")
    torch.save(three, folder / "alone.pt")
    save_file({"clip_l": three.half(), "clip_g": torch.randn(3, 54).half()}, folder / "pair.safetensors")
    save_file({"text_encoders_0": three, "text_encoders_1": torch.randn(3, 54)}, folder / "advanced.safetensors")
    save_file({"clip_l": three, "clip_g": torch.randn(2, 54)}, folder / "uneven.safetensors")
    save_file({"lora.up": three, "lora.down": one}, folder / "other.safetensors")
    save_file({"emb_params": torch.arange(12).reshape(3, 4)}, folder / "whole_numbers.safetensors")
    torch.save({"string_to_param": {"*": three, "+": three}}, folder / "two.pt")
    pipe = StableDiffusionPipeline(None, model, tokenizer, None, None, None, None, requires_safety_checker=False)
    pipe.load_textual_inversion(str(folder / "charm.pt"), weight_name="charm.pt", local_files_only=True)
    pipe.load_textual_inversion(str(folder / "learned_embeds.bin"), local_files_only=True)
    cases["learned"] = ["a charm cat, <birb-style> art", "charm", "red (house) <birb-style>, charm <birb-style>"]
    for i, prompt in enumerate(cases["learned"]):
        converted = pipe.maybe_convert_prompt(prompt, tokenizer)
        tensors[f"learned_ids.{i}"] = torch.tensor(tokenizer(converted, padding="max_length", max_length=77, truncation=True).input_ids)
        keep(f"learned.{i}", pipe.encode_prompt(prompt, "cpu", 1, False)[0])
    keep("three", three)
    keep("one", one)


def main():
    torch.set_grad_enabled(False)
    first = syntax.clip_vocabulary(out / "tokenizer", "<|endoftext|>")
    second = syntax.clip_vocabulary(out / "tokenizer_2", "!")
    clip_l = clip_encoder("clip_l", 1, first, transformers.CLIPTextModel, hidden_size=48, num_hidden_layers=4, hidden_act="quick_gelu")
    clip_g = clip_encoder("clip_g", 2, second, transformers.CLIPTextModelWithProjection, hidden_size=54, num_hidden_layers=3, hidden_act="gelu", projection_dim=20)
    clip_lp = clip_encoder("clip_l_projected", 3, first, transformers.CLIPTextModelWithProjection, hidden_size=48, num_hidden_layers=4, hidden_act="quick_gelu", projection_dim=48)
    t5 = t5_encoder()
    sd1(first, clip_l)
    sdxl((first, second), (clip_l, clip_g))
    sd3((first, second), (clip_lp, clip_g), t5)
    flux(first, clip_l, t5)
    inversions(first, clip_l)
    save_file(tensors, out / "tensors.safetensors")
    (out / "cases.json").write_text(json.dumps(cases), encoding="utf-8")


main()
