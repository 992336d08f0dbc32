// Activations over whole sequences, out of place, with their backward beside them.
//
// Sources: exact GELU as in transformers (MusicGen's feed-forward); SiLU and its gated form as in
// stable-audio-tools `GLU`.

/// h = ½ u (1 + erf(u/√2)).
package func gelu(_ u: Span<Float>, into h: inout MutableSpan<Float>) {
  mapVectors(u, into: &h) { u in 0.5 * u * (1 + errorFunction(u * 0.707_106_77)) }
}

/// du = dh · (Φ(u) + u φ(u)).
package func geluGradient(_ u: Span<Float>, dh: Span<Float>, into du: inout MutableSpan<Float>) {
  mapVectors(u, dh, into: &du) { u, dh in
    let cumulative = 0.5 * (1 + errorFunction(u * 0.707_106_77))
    let density = 0.398_942_28 * exponential(-0.5 * u * u)
    return dh * (cumulative + u * density)
  }
}

/// h = u σ(u).
package func silu(_ u: Span<Float>, into h: inout MutableSpan<Float>) {
  mapVectors(u, into: &h) { u in u / (1 + exponential(-u)) }
}

/// du = dh · σ(u) (1 + u (1 − σ(u))).
package func siluGradient(_ u: Span<Float>, dh: Span<Float>, into du: inout MutableSpan<Float>) {
  mapVectors(u, dh, into: &du) { u, dh in
    let sigmoid = 1 / (1 + exponential(-u))
    return dh * sigmoid * (1 + u * (1 - sigmoid))
  }
}

/// h = a · g σ(g), where every row of u is a (width) followed by g (width).
///
/// - Parameters:
///   - u: (rows, 2 · width).
///   - h: receives (rows, width).
package func gatedSilu(_ u: Span<Float>, width: Int, into h: inout MutableSpan<Float>) {
  precondition(u.count == 2 * h.count && h.count % width == 0, "shapes do not fit")
  for row in 0..<h.count / width {
    let a = u.extracting(row * 2 * width..<row * 2 * width + width)
    let g = u.extracting(row * 2 * width + width..<(row + 1) * 2 * width)
    var part = h._mutatingExtracting(row * width..<(row + 1) * width)
    mapVectors(a, g, into: &part) { a, g in a * g / (1 + exponential(-g)) }
  }
}

/// Gradients of `gatedSilu`: da = dh · g σ(g),  dg = dh · a · σ(g) (1 + g (1 − σ(g))).
///
/// - Parameters:
///   - u: (rows, 2 · width), the forward pass's input.
///   - dh: (rows, width).
///   - du: receives (rows, 2 · width).
package func gatedSiluGradient(
  _ u: Span<Float>, width: Int, dh: Span<Float>, into du: inout MutableSpan<Float>
) {
  precondition(u.count == 2 * dh.count && du.count == u.count, "shapes do not fit")
  for row in 0..<dh.count / width {
    let left = row * 2 * width
    let a = u.extracting(left..<left + width)
    let g = u.extracting(left + width..<left + 2 * width)
    let dhRow = dh.extracting(row * width..<(row + 1) * width)
    do {
      var da = du._mutatingExtracting(left..<left + width)
      mapVectors(g, dhRow, into: &da) { g, dh in dh * g / (1 + exponential(-g)) }
    }
    do {
      var dg = du._mutatingExtracting(left + width..<left + 2 * width)
      mapVectors(g, dhRow, into: &dg) { g, dh in
        let sigmoid = 1 / (1 + exponential(-g))
        return dh * sigmoid * (1 + g * (1 - sigmoid))
      }
      for i in 0..<width { unsafe dg[unchecked: i] *= a[unchecked: i] }
    }
  }
}
