"""The shapes of the house models, as configurations of the reference classes (transformers).

Codec: EnCodec, 32 kHz mono, hop 640 (20 ms), 16 filters, latent 64, 4 books of 1024: 3.7 M parameters.
Language model: MusicGen decoder, 6 layers x 6 heads x 64, feed-forward 1536, 30 s of context.
Text: T5 encoder, 2 layers of 128, vocabulary of the captions.
"""
from transformers import EncodecConfig, MusicgenConfig, T5Config
from transformers.models.musicgen.configuration_musicgen import MusicgenDecoderConfig

BOOKS, CARDINALITY, LATENT = 4, 1024, 64
TEXT_VOCABULARY = 256


def codec():
    """Not causal, weight norm, reflect padding, kernels 7 / 3 / 7 and a 2-layer LSTM, as the published 32 kHz model."""
    return EncodecConfig(
        sampling_rate=32000, audio_channels=1, normalize=False, chunk_length_s=None, overlap=None, hidden_size=LATENT, num_filters=16,
        num_residual_layers=1, upsampling_ratios=[8, 5, 4, 4], norm_type="weight_norm", kernel_size=7, last_kernel_size=7,
        residual_kernel_size=3, dilation_growth_rate=2, use_causal_conv=False, pad_mode="reflect", compress=2, num_lstm_layers=2,
        codebook_size=CARDINALITY, codebook_dim=LATENT, use_conv_shortcut=False, target_bandwidths=[2.0])


def text(vocabulary=TEXT_VOCABULARY):
    """The tiny T5 encoder."""
    return T5Config(
        d_model=128, d_kv=32, d_ff=256, num_layers=2, num_heads=4, vocab_size=vocabulary, is_encoder_decoder=False, use_cache=False,
        dropout_rate=0.0, pad_token_id=0, eos_token_id=1, decoder_start_token_id=0)


def decoder():
    """The language model's decoder."""
    return MusicgenDecoderConfig(
        vocab_size=CARDINALITY, max_position_embeddings=2048, num_hidden_layers=6, ffn_dim=1536, num_attention_heads=6, hidden_size=384,
        num_codebooks=BOOKS, audio_channels=1, dropout=0.0, activation_function="gelu", pad_token_id=CARDINALITY, bos_token_id=CARDINALITY)


def whole(vocabulary=TEXT_VOCABULARY):
    """The configuration of MusicgenForConditionalGeneration."""
    return MusicgenConfig(text_encoder=text(vocabulary).to_dict(), audio_encoder=codec().to_dict(), decoder=decoder().to_dict())
