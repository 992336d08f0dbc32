// From noise to a latent with a network of the v-objective, in few steps.
//
// Two samplers, as stable-audio-tools offers them: DPM-Solver++(3M) SDE [Lu et al. 2022, the third-order
// multistep form of k-diffusion], on a variance-exploding process of noise σ, and DDIM [Song et al. 2021]
// on the variance-preserving one. Network time 0 … 1: α = cos(π t / 2), σ/α of the first process tan(π t / 2).

import RealModule

/// How noise is turned into a latent.
package struct DiffusionSampler: Sendable, Equatable {
  package enum Method: String, Sendable, CaseIterable {
    /// Stochastic, third order.
    case dpmpp3mSDE = "dpmpp-3m-sde"
    /// The same without fresh noise: nearly an ordinary differential equation.
    case dpmpp3m = "dpmpp-3m"
    /// Deterministic, first order.
    case ddim
  }

  package var method = Method.dpmpp3mSDE
  /// Evaluations of the network.
  package var steps = 50
  /// The least and the largest noise of the DPM++ schedule, relative to latents of deviation 1.
  package var noiseRange: ClosedRange<Double> = 0.03...100

  package init() {}

  /// Noise levels, descending, `steps` of them and then 0: evenly spaced in the logarithm.
  package var schedule: [Double] {
    let (low, high) = (Double.log(noiseRange.lowerBound), Double.log(noiseRange.upperBound))
    return (0..<steps).map { step in
      let share = steps == 1 ? 1 : 1 - Double(step) / Double(steps - 1)
      return Double.exp(low + share * (high - low))
    } + [0]
  }

  /// A latent.
  ///
  /// - Parameters:
  ///   - noise: independent standard normal numbers; index 0 begins, i + 1 belongs to step i (asked for
  ///     by the stochastic method alone). All of one length.
  ///   - velocity: the network's output for a noisy latent at a time 0 … 1. May throw to stop.
  package func sample(
    noise: (Int) -> [Float], velocity: ([Float], Double) throws -> [Float]
  ) rethrows -> [Float] {
    precondition(steps >= 1, "a sampler needs a step")
    switch method {
    case .ddim: return try ddim(noise(0), velocity)
    case .dpmpp3m: return try multistep(noise, isStochastic: false, velocity)
    case .dpmpp3mSDE: return try multistep(noise, isStochastic: true, velocity)
    }
  }

  private func ddim(_ noise: [Float], _ velocity: ([Float], Double) throws -> [Float]) rethrows
    -> [Float]
  {
    var x = noise
    for step in 0..<steps {
      let time = 1 - Double(step) / Double(steps)
      let v = try velocity(x, time)
      let (alpha, sigma) = (Double.cos(time * .pi / 2), Double.sin(time * .pi / 2))
      let next = 1 - Double(step + 1) / Double(steps)
      // At the end α = 1 and σ = 0: the clean prediction itself.
      let (nextAlpha, nextSigma) =
        step == steps - 1 ? (1, 0) : (Double.cos(next * .pi / 2), Double.sin(next * .pi / 2))
      for i in x.indices {
        let (noisy, speed) = (Double(x[i]), Double(v[i]))
        let clean = noisy * alpha - speed * sigma
        let rest = noisy * sigma + speed * alpha
        x[i] = Float(clean * nextAlpha + rest * nextSigma)
      }
    }
    return x
  }

  /// The clean latent that the network sees in `x` = clean + σ · noise.
  private func denoised(
    _ x: [Double], _ sigma: Double, _ velocity: ([Float], Double) throws -> [Float]
  ) rethrows -> [Double] {
    let scale = 1 / (sigma * sigma + 1).squareRoot()
    let v = try velocity(x.map { Float($0 * scale) }, Double.atan(sigma) * 2 / .pi)
    return x.indices.map { x[$0] * scale * scale - Double(v[$0]) * sigma * scale }
  }

  private func multistep(
    _ noise: (Int) -> [Float], isStochastic: Bool,
    _ velocity: ([Float], Double) throws -> [Float]
  ) rethrows -> [Float] {
    let levels = schedule
    var x = noise(0).map { Double($0) * levels[0] }
    var past: [(clean: [Double], width: Double)] = []  // the latest first, two at most
    for step in 0..<steps {
      let clean = try denoised(x, levels[step], velocity)
      guard levels[step + 1] > 0 else { return clean.map { Float($0) } }
      let width = Double.log(levels[step] / levels[step + 1])
      let stretched = isStochastic ? 2 * width : width
      let keep = Double.exp(-stretched)
      let second = Double.expMinusOne(-stretched) / stretched + 1
      let third = second / stretched - 0.5
      let fresh = isStochastic ? noise(step + 1) : []
      let spread =
        isStochastic ? levels[step + 1] * (-Double.expMinusOne(-2 * width)).squareRoot() : 0
      for i in x.indices {
        var value = keep * x[i] + (1 - keep) * clean[i]
        if let last = past.first {
          let slope = (clean[i] - last.clean[i]) * width / last.width
          if past.count == 2 {
            // Newton's divided differences over three points.
            let (r, s) = (last.width / width, past[1].width / width)
            let bend = slope - (last.clean[i] - past[1].clean[i]) / s
            value += second * (slope + bend * r / (r + s)) - third * bend / (r + s)
          } else {
            value += second * slope
          }
        }
        if isStochastic { value += spread * Double(fresh[i]) }
        x[i] = value
      }
      past.insert((clean, width), at: 0)
      if past.count > 2 { past.removeLast() }
    }
    return x.map { Float($0) }
  }
}
