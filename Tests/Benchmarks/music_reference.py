"""The time of `transformers` for the work of `continuo bench`: one step of the decoder at given cache lengths,
EnCodec each way, and everything from nothing to samples, in float32 and bfloat16, on the same processors.

    python music_reference.py [--model DIR] [--dtypes float32,bfloat16] [--lengths 100,1500] [--threads 2]
                              [--rounds 3] [--seconds 2] [--guidance]

Needs torch and transformers. Without --model: random weights of MusicGen-small's size with the published codec.
Prints one JSON object per dtype. Steps are medians over the rounds, the rest is the best of them. Steps have
no text, as in the bench; `generate` reads one masked position instead, which is how the package does it.
"""
import argparse, json, statistics, time
import torch
from transformers import EncodecConfig, MusicgenConfig, MusicgenForConditionalGeneration, T5Config
from transformers.models.musicgen.configuration_musicgen import MusicgenDecoderConfig

p = argparse.ArgumentParser()
p.add_argument("--model"); p.add_argument("--dtypes", default="float32,bfloat16"); p.add_argument("--lengths", default="100,1500")
p.add_argument("--threads", type=int, default=2); p.add_argument("--rounds", type=int, default=3)
p.add_argument("--seconds", type=float, default=2.0); p.add_argument("--guidance", action="store_true", help="end to end with guidance 3 too")
a = p.parse_args()
torch.set_num_threads(a.threads); torch.manual_seed(1)


def random_model(dtype):
    t5 = T5Config(d_model=96, d_kv=24, d_ff=192, num_layers=2, num_heads=4, vocab_size=512, is_encoder_decoder=False, use_cache=False)
    codec = EncodecConfig(sampling_rate=32000, audio_channels=1, normalize=False, chunk_length_s=None, overlap=None, hidden_size=128,
                          num_filters=64, num_residual_layers=1, upsampling_ratios=[8, 5, 4, 4], use_causal_conv=False,
                          codebook_size=2048, codebook_dim=128, use_conv_shortcut=False, target_bandwidths=[2.2])
    decoder = MusicgenDecoderConfig(vocab_size=2048, max_position_embeddings=2048, num_hidden_layers=24, ffn_dim=4096,
                                    num_attention_heads=16, hidden_size=1024, num_codebooks=4, dropout=0.0, pad_token_id=2048, bos_token_id=2048)
    model = MusicgenForConditionalGeneration(MusicgenConfig(text_encoder=t5.to_dict(), audio_encoder=codec.to_dict(), decoder=decoder.to_dict()))
    model.generation_config.pad_token_id = model.generation_config.bos_token_id = model.generation_config.decoder_start_token_id = 2048
    return model.to(dtype)


def timed(work):
    start = time.perf_counter(); work(); return time.perf_counter() - start


@torch.no_grad()
def measure(name):
    dtype = getattr(torch, name)
    model = (MusicgenForConditionalGeneration.from_pretrained(a.model, dtype=dtype) if a.model else random_model(dtype)).eval()
    decoder, codec, books = model.decoder, model.audio_encoder, model.decoder.config.num_codebooks
    rate, hop = codec.config.sampling_rate, 640
    frames = max(1, int(a.seconds * rate / hop)); seconds = frames * hop / rate
    found = dict(dtype=name, threads=a.threads, parameters=sum(w.numel() for w in decoder.parameters()), step_milliseconds={}, seconds_per_second={})
    for length in map(int, a.lengths.split(",")):
        past = decoder(input_ids=torch.randint(0, 2048 if not a.model else decoder.config.vocab_size, (books, length)), use_cache=True).past_key_values
        token = torch.zeros((books, 1), dtype=torch.long)
        def step():
            decoder(input_ids=token, past_key_values=past, use_cache=True); past.crop(-1)
        step()
        found["step_milliseconds"][length] = 1e3 * statistics.median(timed(step) for _ in range(max(5, 3 * a.rounds)))
        del past
    codes = torch.randint(0, codec.config.codebook_size, (1, 1, books, frames))
    wave = (torch.rand(1, 1, frames * hop) * 0.2 - 0.1).to(dtype)
    whole = {"decode": lambda: codec.decode(codes, [None]), "encode": lambda: codec.encode(wave)}
    inputs = dict(model.get_unconditional_inputs(num_samples=1))
    inputs.pop("guidance_scale", None)
    inputs["encoder_outputs"] = tuple(None if x is None else x.to(dtype) for x in inputs["encoder_outputs"])
    for guidance in [1.0] + [3.0] * a.guidance:
        options = dict(do_sample=True, top_k=250, guidance_scale=guidance, max_new_tokens=frames + books - 1)
        if guidance == 1.0:
            whole["codes and decode"] = lambda options=options: model.generate(**inputs, **options)
        else:
            ids = torch.full((1, 8), 5)
            whole["codes and decode, guidance 3"] = lambda options=options: model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **options)
    for what, work in whole.items():
        found["seconds_per_second"][what] = min(timed(work) for _ in range(a.rounds)) / seconds
    return found


for each in a.dtypes.split(","):
    print(json.dumps(measure(each)), flush=True)
