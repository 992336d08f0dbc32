"""Write the smallest MusicGen checkpoint with random weights, in half precision, as transformers saves it.

    pip install torch transformers safetensors
    python make_tiny.py

For tests of commands: it makes noise, fast. Its text vocabulary is that of ../tokenizer.
"""
import os, shutil
import torch
from transformers import EncodecConfig, MusicgenConfig, MusicgenForConditionalGeneration, T5Config
from transformers.models.musicgen.configuration_musicgen import MusicgenDecoderConfig

here = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(3)
text = T5Config(d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, vocab_size=256, is_encoder_decoder=False)
codec = EncodecConfig(
    sampling_rate=32000, audio_channels=1, normalize=False, chunk_length_s=None, overlap=None, hidden_size=8,
    num_filters=2, num_residual_layers=1, upsampling_ratios=[8, 5, 4, 4], norm_type="weight_norm", kernel_size=7,
    last_kernel_size=7, residual_kernel_size=3, dilation_growth_rate=2, use_causal_conv=False, pad_mode="reflect",
    compress=2, num_lstm_layers=2, codebook_size=32, codebook_dim=8, use_conv_shortcut=False, target_bandwidths=[1.0])
decoder = MusicgenDecoderConfig(
    vocab_size=32, max_position_embeddings=64, num_hidden_layers=2, ffn_dim=32, num_attention_heads=2, hidden_size=32,
    num_codebooks=4, audio_channels=1, dropout=0.0, pad_token_id=32, bos_token_id=32)
model = MusicgenForConditionalGeneration(
    MusicgenConfig(text_encoder=text.to_dict(), audio_encoder=codec.to_dict(), decoder=decoder.to_dict())).eval()
with torch.no_grad():
    for name, buffer in model.named_buffers():
        if name.endswith("codebook.embed"):
            buffer.normal_()
    for name, weight in model.decoder.named_parameters():
        if weight.dim() > 1:
            weight.mul_(8)  # logits that differ, so that sampling has something to decide
model.half().save_pretrained(here)
shutil.copy(os.path.join(here, "..", "tokenizer", "spiece.model"), here)
