// The v-objective of the latent diffusion transformer on one explicit draw, and its gradient.
//
// α = cos(π t / 2), σ = sin(π t / 2), x_t = α x + σ n, target α n − σ x; the loss is the mean squared
// error over all numbers of the latent, or over those of the unmasked frames.
// Source: stable-audio-tools' training wrapper; METHOD 6 [paper: poster; published code].

import Kernels
import RealModule

/// One draw of a latent's training loss.
package struct DiffusionDraw: Sendable {
  /// The clean latent (channels, T).
  package let latent: [Float]
  package let frames: Int
  /// 0 (clean) … 1 (noise).
  package let time: Float
  /// Of the latent's shape, standard normal.
  package let noise: [Float]
  /// Conditioning tokens (S, width).
  package let context: [Float]
  package let tokens: Int
  /// Global vector.
  package let global: [Float]
  /// Which frames count; nil for all.
  package let mask: [Bool]?

  package init(
    latent: [Float], frames: Int, time: Float, noise: [Float], context: [Float], tokens: Int,
    global: [Float], mask: [Bool]? = nil
  ) {
    self.latent = latent
    self.frames = frames
    self.time = time
    self.noise = noise
    self.context = context
    self.tokens = tokens
    self.global = global
    self.mask = mask
  }
}

extension DiffusionTransformer {
  /// The loss of a draw.
  package func loss(of draw: DiffusionDraw, _ parameters: Parameters, _ w: DiffusionWorkspace)
    -> Double
  {
    let output = FloatBuffer(count: draw.latent.count)
    return loss(of: draw, parameters, w, output: output).0
  }

  /// The loss, and its gradient handed to `gradient`.
  package func gradient(
    of draw: DiffusionDraw, _ parameters: Parameters, _ w: DiffusionWorkspace,
    into gradient: GradientAccumulator
  ) -> Double {
    let (loss, dOutput) = loss(
      of: draw, parameters, w, output: FloatBuffer(count: draw.latent.count))
    backward(FloatBuffer(dOutput).span, parameters, w, into: gradient)
    return loss
  }

  /// The mean over time of every layer's output (depth, width), after a forward pass in `w`.
  package func meanStates(_ w: DiffusionWorkspace) -> [Float] {
    let size = w.rows * config.width
    return (0..<config.depth).flatMap { l in
      columnMeans(w.x.span((l + 1) * size..<(l + 2) * size), width: config.width)
    }
  }

  private func loss(
    of draw: DiffusionDraw, _ parameters: Parameters, _ w: DiffusionWorkspace,
    output: consuming FloatBuffer
  ) -> (Double, [Float]) {
    let (frames, io) = (draw.frames, config.channels)
    precondition(draw.latent.count == io * frames && draw.noise.count == io * frames)
    let alpha = Float(Double.cos(Double(draw.time) * .pi / 2))
    let sigma = Float(Double.sin(Double(draw.time) * .pi / 2))
    let noisy = FloatBuffer(zip(draw.latent, draw.noise).map { alpha * $0 + sigma * $1 })
    do {
      var y = output.mutableSpan
      forward(
        noisy.span, time: draw.time, context: FloatBuffer(draw.context).span,
        global: FloatBuffer(draw.global).span, parameters, w, into: &y)
    }
    let kept = io * (draw.mask?.count { $0 } ?? frames)
    var gradient = [Float](repeating: 0, count: io * frames)
    var total = 0.0
    for channel in 0..<io {
      for t in 0..<frames where draw.mask?[t] ?? true {
        let i = channel * frames + t
        let difference = output.span[i] - (alpha * draw.noise[i] - sigma * draw.latent[i])
        total += Double(difference) * Double(difference)
        gradient[i] = 2 * difference / Float(kept)
      }
    }
    return (total / Double(kept), gradient)
  }
}
