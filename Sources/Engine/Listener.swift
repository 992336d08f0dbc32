// What the musician played, as codes: encoded while it is played, so that at the trigger only the tail
// remains.
//
// In: the input ring (server frames). Out: codes (frames, K) on the model's 20 ms grid, whose place on
// the engine's clock is known. Belongs to the generation thread.

internal import Kernels
internal import Models
import Synchronization

/// Listens to the input ring and keeps the codes of the last seconds.
final class Listener {
  /// Codes and sound of what was heard, ready to be continued.
  struct Heard {
    /// (frames, K).
    var codes: [Int32]
    /// The sound of these frames at the model's rate.
    var sound: [Float]
    /// Engine frame at which the first code frame begins, in the input's time.
    var firstFrame: Int
  }

  /// Seconds that are kept at most.
  static let seconds = 30

  private let instrument: Instrument
  private let exchange: AudioExchange
  private let pool: ComputePool
  private let encoder: EnCodecEncoderState
  private let snapshot: EnCodecSnapshot
  private let K: Int

  private var rate = 0
  private var resampler = SincResampler(from: 1, to: 1)
  /// Engine frame of sample 0 of the encoder.
  private var anchor = 0
  /// Samples made so far.
  private var made = 0
  private var sound: SampleHistory
  private var codes: [Int32] = []  // (frames from firstKept on, K)
  private var firstKept = 0
  private var server: [Float] = []
  private var model: [Float] = []
  private var row: [Int32]

  init(instrument: Instrument, exchange: AudioExchange, pool: ComputePool) {
    self.instrument = instrument
    self.exchange = exchange
    self.pool = pool
    K = instrument.codebooks / instrument.channels
    encoder = EnCodecEncoderState(codec: instrument.codec, codebooks: K)
    snapshot = encoder.makeSnapshot()
    sound = SampleHistory(channels: 1, capacity: Self.seconds * instrument.sampleRate)
    row = [Int32](repeating: 0, count: 64 * K)
  }

  /// Begins anew at engine frame `frame`.
  func restart(at frame: Int) {
    rate = exchange.sampleRate.load(ordering: .acquiring)
    resampler = SincResampler(from: rate, to: instrument.sampleRate)
    anchor = frame
    made = 0
    encoder.reset()
    sound.restart(at: 0)
    codes.removeAll(keepingCapacity: true)
    firstKept = 0
  }

  /// Takes in what has been played, at most `seconds` of it; true when there may be more.
  func listen(seconds: Double = 0.2) -> Bool {
    let now = exchange.input.filled
    if rate != exchange.sampleRate.load(ordering: .acquiring) { restart(at: now) }
    // Too far behind, or behind the ring: what was missed is gone.
    if anchor + made * rate / instrument.sampleRate
      < max(exchange.input.oldest, now - Self.seconds * rate)
    {
      restart(at: max(exchange.input.oldest, now - Self.seconds * rate))
    }
    let limit = max(1, Int(seconds * Double(instrument.sampleRate)))
    let possible = resampler.outputs(beforeInput: now - anchor)
    let end = min(possible, made + limit)
    guard end - made >= 64 else { return false }
    let range = made..<end
    take(range)
    encode(range.count)
    return end < possible
  }

  /// Resamples the model samples in `range` from the ring into `model` and the history.
  private func take(_ range: Range<Int>) {
    let inputs = resampler.inputs(for: range)
    grow(&server, inputs.count)
    grow(&model, range.count)
    var target = server.mutableSpan
    var part = target._mutatingExtracting(0..<inputs.count)
    _ = exchange.input.read(at: anchor + inputs.lowerBound, into: &part)
    var output = model.mutableSpan
    resampler.make(
      range, source: server.span.extracting(0..<inputs.count), sourceStart: inputs.lowerBound,
      into: &output)
    sound.append(model.span, count: range.count)
    made = range.upperBound
  }

  private func encode(_ count: Int) {
    let room = encoder.room(frames: count)
    if row.count < room * K { row = [Int32](repeating: 0, count: room * K) }
    var target = row.mutableSpan
    let steps = encoder.push(model.span, frames: count, into: &target, pool: pool)
    for index in 0..<steps * K { codes.append(row[index]) }
    let surplus = codes.count / K - (Self.seconds + 2) * Int(instrument.framesPerSecond)
    if surplus > 100 {
      codes.removeFirst(surplus * K)
      firstKept += surplus
    }
  }

  private func grow(_ buffer: inout [Float], _ count: Int) {
    if buffer.count < count { buffer = [Float](repeating: 0, count: count * 2) }
  }

  /// Loudness of the last `seconds`, as root mean square.
  func level(seconds: Double) -> Float {
    let count = Int(seconds * Double(instrument.sampleRate))
    return sound.withSamples(channel: 0, (sound.end - count)..<sound.end) { samples, _ in
      guard samples.count > 0 else { return 0 }
      var sum: Float = 0
      for index in samples.indices { sum += samples[index] * samples[index] }
      return (sum / Float(samples.count)).squareRoot()
    }
  }

  /// The last `seconds` of what was heard until now: the tail is encoded as the end of a clip, and
  /// listening goes on as if nothing had been asked.
  func heard(seconds: Double) -> Heard {
    while listen(seconds: 1) {}
    encoder.save(to: snapshot)
    let room = encoder.room(frames: 0)
    if row.count < room * K { row = [Int32](repeating: 0, count: room * K) }
    var target = row.mutableSpan
    let tail = encoder.finish(into: &target, pool: pool)
    encoder.restore(from: snapshot)
    var all = codes + row[0..<tail * K]
    // A frame whose 20 ms were not played to the end is not known.
    let whole = made / instrument.hop
    let surplus = firstKept + all.count / K - whole
    if surplus > 0 { all.removeLast(surplus * K) }
    let wanted = min(all.count / K, Int(seconds * Double(instrument.framesPerSecond)))
    let first = whole - wanted
    let samples = (first * instrument.hop)..<(whole * instrument.hop)
    let kept = sound.withSamples(channel: 0, samples) { span, start in
      (samples).map { $0 >= start && $0 < start + span.count ? span[$0 - start] : 0 }
    }
    var stereo = Array(all.suffix(wanted * K))
    if instrument.channels == 2 { stereo = stereo.flatMap { [$0, $0] } }
    return Heard(
      codes: stereo, sound: kept,
      firstFrame: anchor
        + floorDivide(first * instrument.hop * rate, instrument.sampleRate))
  }
}
