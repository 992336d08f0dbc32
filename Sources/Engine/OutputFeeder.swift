// From the model's sound to the output ring: resamples by position and puts every frame where it belongs.

/// Publishes what is final. Belongs to the generation thread.
struct OutputFeeder {
  private(set) var timeline: Timeline
  private var resampler: SincResampler
  /// Engine frames before this one have been published.
  private(set) var published: Int
  /// Cross-fade from what the ring held before, for the next frames that are published.
  private var fade = 0
  private var left: [Float]
  private var right: [Float]

  /// Frames that are resampled at a time.
  private static let block = 8192

  /// - Parameter start: the first engine frame to publish.
  init(timeline: Timeline, start: Int) {
    self.timeline = timeline
    resampler = SincResampler(from: timeline.modelRate, to: timeline.serverRate)
    published = start
    left = [Float](repeating: 0, count: Self.block)
    right = left
  }

  /// The engine frame before which everything can be made from `sound`.
  func end(of sound: borrowing SampleHistory) -> Int {
    timeline.anchor + resampler.outputs(beforeInput: sound.end)
  }

  /// The model sample from which on a change can still be heard at engine frame `frame`.
  func sample(stillOpenAt frame: Int) -> Int { timeline.sample(atFrame: frame) + resampler.wing }

  /// Begins at engine frame `frame`, cross-fading `fade` frames from what the ring holds.
  mutating func begin(at frame: Int, fade: Int) {
    published = frame
    self.fade = fade
  }

  /// Sound was taken back: what depends on it is published again.
  mutating func rewind(to sound: borrowing SampleHistory) {
    published = min(published, end(of: sound))
  }

  /// Another rate of the server, from engine frame `frame` on.
  mutating func change(toServerRate rate: Int, at frame: Int) {
    timeline = timeline.changed(toServerRate: rate, at: frame)
    resampler = SincResampler(from: timeline.modelRate, to: rate)
    published = frame
  }

  /// The music waits: everything that is not published comes `frames` later.
  mutating func delay(by frames: Int) {
    timeline = Timeline(
      modelRate: timeline.modelRate, hop: timeline.hop, longestDelay: timeline.longestDelay,
      lookahead: timeline.lookahead, serverRate: timeline.serverRate,
      anchor: timeline.anchor + frames)
    published += frames
  }

  /// Publishes what is final and not published; returns how many frames came too late.
  mutating func publish(_ sound: borrowing SampleHistory, to exchange: AudioExchange) -> Int {
    let end = end(of: sound)
    let isStereo = sound.channels > 1
    var late = 0
    while published < end {
      let count = min(
        end - published, Self.block,
        exchange.output.capacity - (published - exchange.output.claimed))
      guard count > 0 else { break }
      let range = (published - timeline.anchor)..<(published - timeline.anchor + count)
      let inputs = resampler.inputs(for: range)
      let resampler = resampler
      var made = left.mutableSpan
      sound.withSamples(channel: 0, inputs) { source, first in
        resampler.make(range, source: source, sourceStart: first, into: &made)
      }
      if isStereo {
        var other = right.mutableSpan
        sound.withSamples(channel: 1, inputs) { source, first in
          resampler.make(range, source: source, sourceStart: first, into: &other)
        }
      }
      let result = exchange.output.publish(
        left.span.extracting(0..<count),
        (isStereo ? right : left).span.extracting(0..<count), at: published, fade: fade)
      fade = 0
      late += result.late
      published += count
    }
    return late
  }
}
