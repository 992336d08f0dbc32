"""Write tiny random EnCodec models and what the reference computes with them.

    pip install "torch==2.13.0+cpu" transformers safetensors numpy
    python make_encodec_fixture.py           writes encodec-*.safetensors beside this script

Each file: the weights as float16 (the reference runs on exactly those values), the configuration as
JSON in the metadata, and per case N
    case.N.samples    [channels, frames]       an input signal
    case.N.latents    [steps, hidden]          the encoder's output
    case.N.codes      [steps, codebooks]       the quantiser's codes of it
    case.N.gap        [steps, codebooks]       (second best − best distance) / best distance
    case.N.decoded    [channels, steps · hop]  the decoder's output for those codes
"""
import json, os
import numpy as np, torch
from safetensors.torch import save_file
from transformers import EncodecConfig, EncodecModel

MODELS = {
    # MusicGen's codec, but for the widths.
    "musicgen": dict(upsampling_ratios=[8, 5, 4, 4], num_filters=2, hidden_size=12, use_causal_conv=False,
                     use_conv_shortcut=False, sampling_rate=32000, codebook_size=32, books=4, spelling="original"),
    # The 24 kHz codec's kind: causal, shortcut convolutions; two residual layers with growing dilation.
    "causal": dict(upsampling_ratios=[4, 2], num_filters=4, hidden_size=10, use_causal_conv=True, num_residual_layers=2,
                   use_conv_shortcut=True, sampling_rate=800, codebook_size=16, books=3, spelling="weight_g"),
    # Odd strides, even kernels, zero padding, one LSTM layer.
    "odd": dict(upsampling_ratios=[5, 3], num_filters=4, hidden_size=9, use_causal_conv=False, kernel_size=4,
                last_kernel_size=6, residual_kernel_size=5, compress=1, num_lstm_layers=1, pad_mode="constant",
                use_conv_shortcut=False, sampling_rate=1500, codebook_size=16, books=2, spelling="original"),
    # Two channels, repeated edges, the trim of transposed convolutions shared between both ends.
    "stereo": dict(upsampling_ratios=[4, 3], num_filters=4, hidden_size=8, use_causal_conv=True, trim_right_ratio=0.5,
                   pad_mode="replicate", audio_channels=2, sampling_rate=1200, codebook_size=16, books=2,
                   use_conv_shortcut=True, num_residual_layers=0, num_lstm_layers=3, spelling="plain"),
}

for name, options in MODELS.items():
    torch.manual_seed(len(name))
    books, spelling = options.pop("books"), options.pop("spelling")
    hop = int(np.prod(options["upsampling_ratios"]))
    rate = -(-options["sampling_rate"] // hop)
    config = EncodecConfig(target_bandwidths=[books * rate * float(np.log2(options["codebook_size"])) / 1000], **options)
    model = EncodecModel(config).eval()
    with torch.no_grad():
        for n, w in list(model.named_parameters()) + list(model.named_buffers()):
            if n.endswith("codebook.embed"):
                w.normal_()
            if w.is_floating_point():
                w.copy_(w.half().float())
    tensors = {}
    if spelling == "plain":
        for module in model.modules():
            if hasattr(module, "parametrizations") and "weight" in module.parametrizations:
                torch.nn.utils.parametrize.remove_parametrizations(module, "weight")
                with torch.no_grad():
                    module.weight.copy_(module.weight.half().float())
    for n, w in model.state_dict().items():
        if any(part in n for part in ("cluster_size", "embed_avg", "inited")):
            continue
        if spelling == "weight_g":
            n = n.replace("parametrizations.weight.original0", "weight_g").replace("parametrizations.weight.original1", "weight_v")
        tensors["audio_encoder." + n] = w.half().contiguous()

    channels = config.audio_channels
    with torch.no_grad():
        for number, frames in enumerate([1, 2, hop // 2 + 1, hop, hop + 1, 3 * hop - 1, 17 * hop + hop // 3]):
            samples = torch.randn(1, channels, frames) * 0.3
            latents = model.encoder(samples)
            codes = model.encode(samples).audio_codes[0, 0]  # (K, T)
            assert codes.shape[0] == books
            residual, gaps = latents[0].T.double(), []
            for k in range(books):
                book = model.quantizer.layers[k].codebook.embed.double()
                distances = torch.cdist(residual, book).pow(2)
                best = distances.topk(2, largest=False).values
                gaps.append((best[:, 1] - best[:, 0]) / best[:, 0])
                residual = residual - book[codes[k]]
            decoded = model.decode(codes[None, None], [None]).audio_values[0]
            case = f"case.{number}."
            tensors[case + "samples"] = samples[0].contiguous()
            tensors[case + "latents"] = latents[0].T.contiguous()
            tensors[case + "codes"] = codes.T.to(torch.int32).contiguous()
            tensors[case + "gap"] = torch.stack(gaps, 1).float().contiguous()
            tensors[case + "decoded"] = decoded.contiguous()
    settings = {k: v for k, v in config.to_dict().items() if not k.startswith("_")}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"encodec-{name}.safetensors")
    save_file(tensors, path, metadata={"config": json.dumps(settings, sort_keys=True)})
    print(path, os.path.getsize(path))
