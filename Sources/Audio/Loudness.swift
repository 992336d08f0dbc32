// How loud a clip is, by ITU-R BS.1770 and EBU R 128 (libebur128), and the gain to a wanted loudness.

import CEbur128
import Foundation

/// Loudness of a clip.
package struct Loudness: Sendable, Equatable {
  /// Gated loudness of the whole clip in LUFS; −∞ for silence or less than 0.4 s.
  package var integrated: Double
  /// Loudest 3 seconds in LUFS; −∞ when the clip is shorter.
  package var shortTermMaximum: Double
  /// Largest true peak of all channels in dB relative to full scale; −∞ for silence.
  package var truePeak: Double

  /// Measures a clip.  // (channels, frames)
  package init(of clip: AudioClip) {
    let meter = Meter(rate: clip.rate, channels: clip.channels.count)
    var shortTerm = -Double.infinity
    let block = max(clip.rate / 10, 1)  // 100 ms
    var start = 0
    while start < clip.frames {
      let end = min(start + block, clip.frames)
      meter.append(clip, start..<end)
      start = end
      if start >= 3 * clip.rate { shortTerm = max(shortTerm, meter.shortTerm) }
    }
    integrated = meter.integrated
    shortTermMaximum = shortTerm
    truePeak = meter.truePeak > 0 ? 20 * log10(meter.truePeak) : -.infinity
  }

  /// The factor that brings the clip to `target` LUFS without a true peak above `ceiling` dB; 1 for
  /// silence.
  package func gain(to target: Double, ceiling: Double = -1) -> Float {
    guard integrated.isFinite, truePeak.isFinite else { return 1 }
    return Float(pow(10, min(target - integrated, ceiling - truePeak) / 20))
  }
}

/// libebur128's state.
///
/// Safe: the pointer never leaves this type, is freed once in `deinit`, and every block handed over
/// holds the frames that are claimed.
@safe private final class Meter {
  private var state: UnsafeMutablePointer<ebur128_state>?
  private let channels: Int

  init(rate: Int, channels: Int) {
    self.channels = channels
    let mode = EBUR128_MODE_S.rawValue | EBUR128_MODE_I.rawValue | EBUR128_MODE_TRUE_PEAK.rawValue
    unsafe state = ebur128_init(UInt32(channels), UInt(rate), Int32(mode))
  }

  deinit { unsafe ebur128_destroy(&state) }

  func append(_ clip: AudioClip, _ frames: Range<Int>) {
    var interleaved: [Float] = []  // (frames, channels)
    interleaved.reserveCapacity(frames.count * channels)
    for frame in frames {
      for channel in clip.channels { interleaved.append(channel[frame]) }
    }
    guard unsafe state != nil else { return }
    unsafe _ = ebur128_add_frames_float(state, interleaved, frames.count)
  }

  var integrated: Double { unsafe value { unsafe ebur128_loudness_global($0, $1) } }
  var shortTerm: Double { unsafe value { unsafe ebur128_loudness_shortterm($0, $1) } }
  var truePeak: Double {
    (0..<channels).reduce(0) { largest, channel in
      unsafe max(largest, value { unsafe ebur128_true_peak($0, UInt32(channel), $1) })
    }
  }

  private func value(
    _ ask: (UnsafeMutablePointer<ebur128_state>?, UnsafeMutablePointer<Double>) -> Int32
  ) -> Double {
    var result = -Double.infinity
    guard unsafe state != nil, unsafe ask(state, &result) == 0 else { return -.infinity }
    return result
  }
}
