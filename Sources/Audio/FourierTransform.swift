// Spectrum of a real signal, by KISS FFT.

import CKissFFT

/// A plan for real transforms of one length. Used from one thread.
///
/// Safe: the pointer never leaves this type and is freed once, in `deinit`; both buffers are the type's own
/// and have the lengths that the plan was made for.
@safe package final class FourierTransform {
  private let plan: OpaquePointer
  /// Made when first needed.
  private var inverse: OpaquePointer?
  private var spectrum: [kiss_fft_cpx]  // (bins)
  /// Samples per transform.
  package let length: Int
  /// Values per spectrum: length / 2 + 1.
  package var bins: Int { length / 2 + 1 }

  /// - Parameter length: even, at least 2.
  package init(length: Int) {
    precondition(length >= 2 && length.isMultiple(of: 2) && length <= 1 << 24)
    self.length = length
    guard let made = unsafe kiss_fftr_alloc(Int32(length), 0, nil, nil) else {
      preconditionFailure("no memory for a transform of \(length) samples")
    }
    unsafe plan = made
    spectrum = [kiss_fft_cpx](repeating: kiss_fft_cpx(r: 0, i: 0), count: length / 2 + 1)
  }

  deinit {
    unsafe continuo_kissfft_free(plan)
    if let inverse = unsafe inverse { unsafe continuo_kissfft_free(inverse) }
  }

  /// Squared magnitudes of the spectrum.
  /// - Parameters:
  ///   - samples: the windowed signal.  // (length)
  ///   - power: receives |X|², no scaling.  // (bins)
  package func power(of samples: [Float], into power: inout [Float]) {
    precondition(samples.count == length && power.count == bins)
    unsafe kiss_fftr(plan, samples, &spectrum)
    for bin in 0..<bins {
      power[bin] = spectrum[bin].r * spectrum[bin].r + spectrum[bin].i * spectrum[bin].i
    }
  }

  /// Autocorrelation around the circle: Σ x[i] · x[(i + lag) mod length]. A signal that fills at most half of the
  /// length, with zeros behind, gives its plain autocorrelation.
  /// - Parameters:
  ///   - samples: the signal.  // (length)
  ///   - result: receives one value per lag.  // (length)
  package func autocorrelation(of samples: [Float], into result: inout [Float]) {
    precondition(samples.count == length && result.count == length)
    unsafe kiss_fftr(plan, samples, &spectrum)
    for bin in 0..<bins {
      let power = spectrum[bin].r * spectrum[bin].r + spectrum[bin].i * spectrum[bin].i
      spectrum[bin] = kiss_fft_cpx(r: power / Float(length), i: 0)
    }
    if unsafe inverse == nil { unsafe inverse = kiss_fftr_alloc(Int32(length), 1, nil, nil) }
    guard let backward = unsafe inverse else {
      preconditionFailure("no memory for a transform of \(length) samples")
    }
    unsafe kiss_fftri(backward, spectrum, &result)
  }
}
