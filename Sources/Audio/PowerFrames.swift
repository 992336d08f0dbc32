// Power spectra of a sound, frame by frame: what tempo, chroma and log-mel distances are computed from.
//
// In: one channel. Out: |X|² of frames centred on sample hop · t, Hann-windowed (periodic), with zeros beyond both
// ends. The same frames as librosa's `stft` with its defaults (published code).

import Foundation

/// Cuts a sound into centred frames. Used from one thread.
package final class PowerFrames {
  /// Samples per frame.
  package let length: Int
  /// Samples from one frame to the next.
  package let hop: Int
  /// What stands beyond the ends of the sound.
  package enum Edge: Sendable { case zeros, reflection }
  private let edge: Edge
  private let window: [Float]  // (length)
  private let transform: FourierTransform

  /// - Parameters:
  ///   - length: samples per frame, even.
  ///   - hop: samples from one frame to the next, at least 1.
  package init(length: Int, hop: Int, edge: Edge = .zeros) {
    precondition(hop >= 1)
    self.length = length
    self.hop = hop
    self.edge = edge
    window = hannWindow(length)
    transform = FourierTransform(length: length)
  }

  /// Values per spectrum: length / 2 + 1.
  package var bins: Int { transform.bins }

  /// Frames of a sound: one more than whole hops fit.
  package func count(of samples: Int) -> Int { 1 + samples / hop }

  /// Calls `body` with each frame's number and its power spectrum (bins).
  package func forEach(of samples: [Float], _ body: (Int, [Float]) -> Void) {
    var block = [Float](repeating: 0, count: length)
    var power = [Float](repeating: 0, count: bins)
    for frame in 0..<count(of: samples.count) {
      let start = frame * hop - length / 2
      for index in 0..<length {
        var place = start + index
        if edge == .reflection, samples.count > 1 {
          if place < 0 { place = -place }
          if place >= samples.count { place = 2 * (samples.count - 1) - place }
        }
        block[index] =
          place >= 0 && place < samples.count ? window[index] * samples[place] : 0
      }
      transform.power(of: block, into: &power)
      body(frame, power)
    }
  }
}

/// The periodic Hann window.  // (length)
func hannWindow(_ length: Int) -> [Float] {
  (0..<length).map { Float(0.5 - 0.5 * cos(2 * Double.pi * Double($0) / Double(length))) }
}
