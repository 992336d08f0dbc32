"""The training rules keep their promises. Needs torch and transformers; skipped without them. Takes seconds."""
import pytest

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from transformers import EncodecModel, MusicgenForConditionalGeneration

from Training import shapes, workspace
from Training.carry import carried, together
from Training.codec_losses import MelDistance, Power, si_sdr, waveform_error
from Training.data import STEP, Windows
from Training.generate import sample
from Training.loops import SEAM, loop
from Training.lookback import Lookback, plant
from Training.linear_probe import accuracy_table
from Training.quantiser import QuantiserTrainer, SpectrumHead, turn
from Training.recogniser import BANDS, Recogniser, folded, front_end, per_second
from Training.train_codec import Optimisers
from Training.windows import SPECIAL, CodeWindows, delay


def test_the_codec_has_the_published_architecture_and_at_most_8_million_parameters():
    model = EncodecModel(shapes.codec())
    assert sum(p.numel() for p in model.parameters()) <= 8e6
    assert model.config.hop_length == 640 and model.config.frame_rate == 50
    assert model.quantizer.get_num_quantizers_for_bandwidth(shapes.codec().target_bandwidths[0]) == shapes.BOOKS


def test_losses_are_nothing_for_a_copy_and_grow_with_noise():
    torch.manual_seed(0)
    x = torch.randn(2, 16000) * 0.1
    noise = torch.randn_like(x)
    mel = MelDistance()
    assert waveform_error(x, x) == 0 and mel(x, x) == 0
    assert mel(x, x + 0.01 * noise) < mel(x, x + 0.1 * noise)
    assert abs(si_sdr(x, 3 * x + 0.03 * noise).mean().item() - 20) < 0.2


def test_power_and_its_gradient_are_those_of_the_transform_of_torch():
    torch.manual_seed(0)
    for samples, size in ((4000, 512), (3999, 256), (4333, 1024)):
        x, window = torch.randn(2, samples, dtype=torch.double, requires_grad=True), torch.hann_window(size, dtype=torch.double)
        slow = torch.stft(x, size, size // 4, window=window, return_complex=True).abs().square().transpose(1, 2)
        weights = torch.randn_like(slow)
        (slow * weights).sum().backward()
        wanted, x.grad = x.grad, None
        fast = Power.apply(x, window)
        (fast * weights).sum().backward()
        assert torch.allclose(fast, slow) and torch.allclose(x.grad, wanted)


def test_kernels_and_gates_learn_through_their_views():
    torch.manual_seed(0)
    convolution, lstm, x = torch.nn.Conv1d(8, 8, 3), torch.nn.LSTM(8, 8), torch.randn(4, 8, 20)
    optimiser = Optimisers((convolution, lstm), 1e-2)
    assert len(optimiser.views) == 1 + 2 * 4

    def error():
        return (lstm(convolution(x).permute(2, 0, 1))[0] - 0.5).square().mean()

    before = error().item()
    for _ in range(40):
        error().backward()
        optimiser.step(1e-2)
    assert error().item() < 0.7 * before
    again = Optimisers((convolution, lstm), 1e-2)
    again.load_state_dict(optimiser.state_dict())
    assert torch.equal(again.muon.state[again.views[0][0]]["momentum_buffer"], optimiser.muon.state[optimiser.views[0][0]]["momentum_buffer"])


def test_the_last_windows_are_the_first_ones_moved_by_less_than_a_step(monkeypatch):
    rng = np.random.default_rng(0)
    songs = dict(audio=rng.integers(-9999, 9999, (3, workspace.STEPS * STEP)).astype(np.int16), activity=np.ones((3, workspace.STEPS, 5), np.uint8))
    monkeypatch.setattr(workspace, "array", lambda work, name, split: songs[name])
    monkeypatch.setattr(workspace, "rendered", lambda work, split: [0, 1, 2])
    data = Windows("", "train", 10, seed=1)
    audio, activity = data.draw(6, copies=2)
    assert audio.shape == (6, 1, 10 * STEP) and activity.shape == (6, 10, 5)
    for i in range(2):
        song, at = data.places[i]
        moved = [m for m in range(-STEP // 2, STEP // 2 + 1) if at * STEP + m >= 0 and np.array_equal((audio[4 + i, 0] * 32768).numpy(), songs["audio"][song, at * STEP + m:(at + 10) * STEP + m])]
        assert len(moved) == 1


def test_agreement_is_sure_of_a_copy_and_not_of_another_window():
    torch.manual_seed(0)
    trainer = QuantiserTrainer(EncodecModel(shapes.codec()))
    points = torch.randn(4000, shapes.LATENT)
    trainer.start(points, rounds=2)
    z = points[:80].view(4, 20, -1).transpose(1, 2).contiguous()
    z[2:] = z[:2]
    ids = trainer.quantise(z, learn=False)[3][0]
    copies, same = trainer.agreement(z, ids, ([0, 1], [2, 3]))
    others, different = trainer.agreement(z, ids, ([0, 2], [1, 3]))
    assert same == 1 and different < 0.2 and copies < others


def test_turning_the_latents_brings_spectra_forward_and_changes_no_sound():
    torch.manual_seed(0)
    model, audio = EncodecModel(shapes.codec()).eval(), torch.randn(4, 1, 20 * STEP) * 0.1
    with torch.no_grad():
        z = model.encoder(audio)
        before, flat = model.decoder(z), z.transpose(1, 2).reshape(-1, shapes.LATENT)
        spectra = flat @ torch.randn(shapes.LATENT, 3) @ torch.randn(3, 40)
        turn(model, flat, spectra, 3)
        turned = model.encoder(audio)
        assert torch.allclose(model.decoder(turned), before, atol=1e-4 * before.abs().max().item())
        first = turned.transpose(1, 2).reshape(-1, shapes.LATENT)[:, :3]
        first, spectra = first - first.mean(0), spectra - spectra.mean(0)
        left = spectra - first @ torch.linalg.lstsq(first, spectra).solution
    assert left.square().sum() < 1e-3 * spectra.square().sum()


def test_a_narrow_first_book_leaves_the_other_dimensions_alone():
    torch.manual_seed(0)
    model = EncodecModel(shapes.codec())
    trainer = QuantiserTrainer(model, narrow=4)
    z = torch.randn(20, shapes.LATENT, 60, requires_grad=True)
    trainer.start(z.detach().transpose(1, 2).reshape(-1, shapes.LATENT), rounds=2)
    for _ in range(3):
        _, vectors, _, codes = trainer.quantise(z, learn=True)
    assert (trainer.books[0].embed[:, 4:] == 0).all() and (trainer.books[1].embed[:, 4:] != 0).any()
    vectors[0].sum().backward()
    assert (z.grad[:, :4] != 0).all() and (z.grad[:, 4:] == 0).all()
    assert torch.equal(model.quantizer.encode(z.detach(), shapes.codec().target_bandwidths[0]), trainer.quantise(z, learn=False)[3])


def test_the_spectrum_that_the_first_book_tells_stands_over_its_step():
    audio = torch.zeros(1, 20 * STEP)
    audio[0, 7 * STEP + STEP // 2] = 0.5
    spectrum = SpectrumHead(shapes.LATENT).spectrum(audio)
    assert spectrum.shape == (1, 20, SpectrumHead.BANDS) and spectrum[0].mean(-1).argmax() == 7


def test_moving_averages_bring_the_books_nearer_to_the_latents():
    torch.manual_seed(0)
    model = EncodecModel(shapes.codec())
    trainer = QuantiserTrainer(model)
    points = torch.randn(8000, 8) @ torch.randn(8, shapes.LATENT)
    trainer.start(points[:2000], rounds=0)
    z = points[2000:].view(60, 100, -1).transpose(1, 2)
    before = (trainer.quantise(z, learn=False)[0] - z).square().mean()
    for _ in range(30):
        trainer.quantise(z, learn=True)
    after, vectors, commitment, codes = trainer.quantise(z, learn=False)
    assert (after - z).square().mean() < before
    reference = model.quantizer.encode(z, shapes.codec().target_bandwidths[0])
    assert torch.equal(reference, codes)
    assert torch.allclose(model.quantizer.decode(codes), after, atol=1e-4)


def test_book_k_stands_k_plus_one_steps_late():
    codes = torch.arange(24).view(1, 4, 6)
    late = delay(codes)
    for k in range(4):
        assert late[0, k, 1 + k:7 + k].tolist() == codes[0, k].tolist()
        assert (late[0, k, :1 + k] == SPECIAL).all() and (late[0, k, 7 + k:] == SPECIAL).all()


def test_sampling_the_best_code_equals_greedy_generation_of_the_reference():
    torch.manual_seed(0)
    model = MusicgenForConditionalGeneration(shapes.whole()).eval()
    with torch.no_grad():
        for p in model.decoder.parameters():
            if p.dim() == 2:
                p.mul_(3)
    config = model.generation_config
    config.pad_token_id = config.bos_token_id = config.decoder_start_token_id = SPECIAL
    ids = torch.randint(3, 200, (1, 6))
    mask = torch.ones_like(ids)
    for guidance in (1.0, 3.0):
        wave = model.generate(input_ids=ids, attention_mask=mask, do_sample=False, guidance_scale=guidance, max_new_tokens=16)
        states = model.enc_to_dec_proj(model.text_encoder(input_ids=ids, attention_mask=mask).last_hidden_state).detach()
        steps = wave.shape[-1] // 640
        codes = sample(model, steps, states=states, mask=mask, guidance=guidance, top_k=1)
        mine = model.audio_encoder.decode(codes[None], [None]).audio_values
        assert torch.allclose(mine, wave, atol=1e-5)


def test_seconds_take_turns_of_twelve_and_thirteen_frames():
    x = torch.arange(25.0).view(1, 1, 25)
    assert per_second(x)[0, :, 0].tolist() == [6.0, 18.5]


def test_the_recogniser_answers_once_a_second():
    model = Recogniser().eval()
    assert front_end(torch.randn(1, 64000), model.mel, model.window).shape == (1, BANDS, 100)
    assert model(torch.randn(2, 128000)).shape == (2, 4, 5)


def test_normalisation_folds_into_the_convolution():
    torch.manual_seed(2)
    for convolution, norm, x in (
        (torch.nn.Conv2d(2, 3, (3, 5)), torch.nn.BatchNorm2d(3), torch.randn(1, 2, 8, 9)),
        (torch.nn.Conv1d(2, 3, 5), torch.nn.BatchNorm1d(3), torch.randn(1, 2, 9)),
    ):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        norm.weight.data.uniform_(0.5, 2)
        norm.bias.data.normal_()
        weight, bias = folded(convolution, norm.eval())
        product = torch.nn.functional.conv2d if x.dim() == 4 else torch.nn.functional.conv1d
        assert torch.allclose(product(x, weight.float(), bias.float()), norm(convolution(x)), atol=0.02)


def test_a_linear_probe_finds_what_is_linear():
    torch.manual_seed(0)
    x = torch.randn(600, 10)
    share = (x[:, :1] > 0).float()
    assert accuracy_table(x[:400], share[:400], x[400:], share[400:], ["first"])["first"] > 0.95


def test_encoding_in_pieces_equals_encoding_the_whole():
    from Training.tokenise import encode, plain_weights
    torch.manual_seed(0)
    model = EncodecModel(shapes.codec()).eval()
    for layer in model.quantizer.layers:
        layer.codebook.embed.normal_()
    audio = torch.randn(1, 60 * 640) * 0.2
    with torch.no_grad():
        whole = model.encode(audio[:, None]).audio_codes[0]
        latents = model.encoder(audio[:, None])
    codes, pieces = encode(plain_weights(model), audio, piece=20)
    assert torch.equal(codes, whole) and torch.allclose(pieces, latents, atol=1e-5)


def test_exporting_a_decoder_changes_the_decoder_alone(tmp_path):
    from safetensors.torch import load_file
    from Training.train_decoder import MARGIN, export, inside
    torch.manual_seed(0)
    house, out = str(tmp_path / "house"), str(tmp_path / "out")
    model = MusicgenForConditionalGeneration(shapes.whole()).half()
    model.save_pretrained(house)
    decoder = EncodecModel(shapes.codec()).decoder
    export(decoder, house, out)
    before, after = load_file(house + "/model.safetensors"), load_file(out + "/model.safetensors")
    assert before.keys() == after.keys() and all(a.dtype == torch.float16 for a in after.values())
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith("audio_encoder.decoder.") for name in changed)
    again = MusicgenForConditionalGeneration.from_pretrained(out).audio_encoder.float().decoder
    latents = torch.randn(1, shapes.LATENT, 2 * MARGIN + 3)
    with torch.no_grad():
        assert torch.allclose(again(latents), decoder(latents), atol=0.02) and inside(decoder(latents)).shape[-1] == 3 * 640


def test_planted_heads_look_one_and_two_steps_back_and_one_period_back():
    torch.manual_seed(0)
    whole = MusicgenForConditionalGeneration(shapes.whole()).eval()
    for table in whole.decoder.model.decoder.embed_tokens:
        torch.nn.init.normal_(table.weight, std=0.4)
    decoder = whole.decoder
    codes = torch.randint(0, shapes.CARDINALITY, (2, shapes.BOOKS, 30)).repeat(1, 1, 4)
    inputs = delay(codes)[:, :, :-1].reshape(2 * shapes.BOOKS, -1)
    lookback = Lookback(decoder)

    def loss():
        with torch.no_grad():
            decoder(input_ids=inputs, use_cache=False)
        return lookback.loss([30, 30]).item()

    before = loss()
    plant(decoder)
    after = loss()
    one = Lookback(decoder, heads=((0, 1, 1), (0, 2, 2)))
    with torch.no_grad():
        decoder(input_ids=inputs, use_cache=False)
    assert before > 3.5 and after < before - 1.5       # uniform attention over some hundred steps: 4 to 5 nats
    assert one.loss([0, 0]).item() < 0.2
    assert lookback.loss([0, 0]).item() < 0.2           # without loops only the heads that look one or two steps back are asked


def test_a_loop_of_sound_repeats_without_a_jump():
    sound = (10000 * np.sin(np.arange(64000) * 0.03)).astype(np.int16)
    out = loop(sound, 1000, 20001, total=90000)
    assert len(out) == 90000 and np.array_equal(out[:20001], sound[1000:21001])
    assert np.array_equal(out[20001 + SEAM:40002], out[SEAM:20001]) and np.array_equal(out[40002:60003], out[20001:40002])
    assert np.abs(np.diff(out)).max() < 1000             # the sine itself moves by 300 a sample, a bare seam would by up to 20,000
    assert np.array_equal(loop(sound, 44000, 20000, total=50000)[20000:40000], sound[44000:64000])      # nothing lies behind the last one


def test_loops_repeat_and_tell_their_period():
    windows = CodeWindows.__new__(CodeWindows)
    windows.rng = np.random.default_rng(4)
    codes = np.arange(4 * 400).reshape(4, 400)
    whole, exact = 0, 0
    for _ in range(200):
        turns, period = windows.looped(codes)
        assert turns.shape == codes.shape
        if period:
            whole += 1
            same = (turns[:, period:] == turns[:, :-period]).mean()
            exact += same == 1
            assert period <= 200 and same > 0.3
    assert 70 < whole < 130 and exact > 20


def test_rows_follow_codes_that_are_called_otherwise():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    table, names = torch.randn(8, 5), rng.permutation(8)
    old = rng.integers(0, 8, (3, 200))
    new = names[old]
    assert torch.allclose(carried(table, together(old, new, 8))[names], table, atol=1e-5)
    unseen = carried(table, together(old, np.where(new == 3, 4, new), 8))
    assert torch.isfinite(unseen).all()
