// The diffusion transformer, backward: beside DiffusionTransformer.swift, function for function.
//
// In: the gradient by the network's output (channels, T), after a forward pass in the same workspace.
// Out: each tensor's gradient, handed to an accumulator. `dx` runs backward through the layers; the
// gradients by context, global vector and common modulation are summed over the layers on the way.

import Kernels
import RealModule

extension DiffusionTransformer {
  /// Hands the gradients of everything that `gradient` wants to it.
  ///
  /// - Parameters:
  ///   - dOutput: the loss's gradient by the output (channels, T).
  ///   - w: the workspace of the forward pass of the same draw.
  package func backward(
    _ dOutput: Span<Float>, _ parameters: Parameters, _ w: DiffusionWorkspace,
    into gradient: GradientAccumulator
  ) {
    let (io, frames, width) = (config.channels, w.frames, config.width)
    precondition(dOutput.count == io * frames, "a gradient of another size")
    w.dContext.clear()
    w.dModulation.clear()
    w.dGlobal.clear()
    do {
      var rows = w.dLatent.mutableSpan
      for channel in 0..<io {
        for t in 0..<frames { rows[t * io + channel] = dOutput[channel * frames + t] }
      }
    }
    gradient.collect(names.after) { dWeight in
      linearWeightGradient(
        w.dLatent.span, x: w.predicted.span, rows: frames, inputs: io, outputs: io, into: &dWeight)
    }
    do {
      var dPredicted = w.dPredicted.mutableSpan
      copy(w.dLatent.span, into: &dPredicted)
      linearInputGradient(
        w.dLatent.span, weight: parameters.span(names.after), rows: frames, inputs: io,
        outputs: io, adding: true, into: &dPredicted)
    }
    let last = config.depth * w.rows * width
    gradient.collect(names.projectOut) { dWeight in
      linearWeightGradient(
        w.dPredicted.span,
        x: w.x.span(last + config.prefix * width..<last + w.rows * width), rows: frames,
        inputs: width, outputs: io, into: &dWeight)
    }
    w.dx.clear()
    do {
      var dx = w.dx.mutableSpan(config.prefix * width..<w.rows * width)
      linearInputGradient(
        w.dPredicted.span, weight: parameters.span(names.projectOut), rows: frames,
        inputs: width, outputs: io, into: &dx)
    }
    let belowLayers = gradient.layout.entries.indices.contains {
      gradient.wants($0) && !gradient.layout.entries[$0].name.hasPrefix("transformer.layers.")
        && $0 != names.after && $0 != names.projectOut
    }
    let lowest =
      belowLayers
      ? 0 : names.layers.firstIndex { gradient.wants(prefix: $0.prefix) } ?? config.depth
    for l in stride(from: config.depth - 1, through: lowest, by: -1) {
      if !w.keepsLayers { forward(layer: l, parameters, w) }
      backward(layer: l, parameters, w, into: gradient)
    }
    guard belowLayers else { return }
    inputGradients(parameters, w, into: gradient)
    conditioningGradients(parameters, w, into: gradient)
  }

  /// On entry `dx` is the gradient by the layer's output, on return by its input.
  private func backward(
    layer l: Int, _ parameters: Parameters, _ w: DiffusionWorkspace,
    into gradient: GradientAccumulator
  ) {
    let layer = names.layers[l]
    let (n, width, f) = (w.rows, config.width, config.feedForward)
    let slot = w.keepsLayers ? l : 0
    let rows = slot * n * width..<(slot + 1) * n * width
    let wide = slot * n * f..<(slot + 1) * n * f
    let double = 2 * wide.lowerBound..<2 * wide.upperBound
    w.dLayerModulation.clear()
    // Feed-forward.
    gateGradient(w.lastOut.span(rows), slot: slot, part: 5, w)
    gradient.collect(layer.down) { dWeight in
      linearWeightGradient(
        w.dBranch.span, x: w.h.span(wide), rows: n, inputs: f, outputs: width, into: &dWeight)
    }
    gradient.collect(layer.downBias) { dBias in
      linearBiasGradient(w.dBranch.span, rows: n, outputs: width, into: &dBias)
    }
    do {
      var dh = w.dh.mutableSpan
      linearInputGradient(
        w.dBranch.span, weight: parameters.span(layer.down), rows: n, inputs: f, outputs: width,
        into: &dh)
      var du = w.du.mutableSpan
      gatedSiluGradient(w.u.span(double), width: f, dh: w.dh.span, into: &du)
    }
    gradient.collect(layer.up) { dWeight in
      linearWeightGradient(
        w.du.span, x: w.lastNormal.span(rows), rows: n, inputs: width, outputs: 2 * f,
        into: &dWeight)
    }
    gradient.collect(layer.upBias) { dBias in
      linearBiasGradient(w.du.span, rows: n, outputs: 2 * f, into: &dBias)
    }
    do {
      var dn = w.dn.mutableSpan
      linearInputGradient(
        w.du.span, weight: parameters.span(layer.up), rows: n, inputs: width, outputs: 2 * f,
        into: &dn)
    }
    modulationGradient(plain: w.lastPlain, rows, slot: slot, part: 3, w)
    let before = w.cross == nil ? w.middle : w.crossed
    normGradient(layer.lastNorm, before.span(rows), parameters, w, into: gradient)
    // Cross-attention.
    if let crossNorm = layer.crossNorm, let shape = w.cross {
      backward(cross: layer, crossNorm, shape, slot: slot, parameters, w, into: gradient)
    }
    // Self-attention.
    gateGradient(w.ownOut.span(rows), slot: slot, part: 2, w)
    gradient.collect(layer.out) { dWeight in
      linearWeightGradient(
        w.dBranch.span, x: w.z.span(rows), rows: n, inputs: width, outputs: width, into: &dWeight)
    }
    do {
      var dz = w.dn.mutableSpan
      linearInputGradient(
        w.dBranch.span, weight: parameters.span(layer.out), rows: n, inputs: width,
        outputs: width, into: &dz)
      var scratch = w.scratch.mutableSpan
      var dqkv = w.dqkv.mutableSpan(0..<w.own.projections)
      attentionGradient(
        w.own, qkv: w.qkv.span(slot * w.own.projections..<(slot + 1) * w.own.projections),
        rows: .fused(w.own), dz: w.dn.span, scratch: &scratch, into: &dqkv)
      for part in 0..<2 {
        w.rotary.turn(
          &dqkv, rows: Rows(offset: part * width, stride: 3 * width), count: n,
          heads: config.heads, dimension: config.headDimension, backward: true)
      }
    }
    let dqkv = w.dqkv.span(0..<w.own.projections)
    gradient.collect(layer.qkv) { dWeight in
      linearWeightGradient(
        dqkv, x: w.normal.span(rows), rows: n, inputs: width, outputs: 3 * width, into: &dWeight)
    }
    do {
      var dn = w.dn.mutableSpan
      linearInputGradient(
        dqkv, weight: parameters.span(layer.qkv), rows: n, inputs: width, outputs: 3 * width,
        into: &dn)
    }
    modulationGradient(plain: w.plain, rows, slot: slot, part: 0, w)
    normGradient(
      layer.norm, w.x.span(l * n * width..<(l + 1) * n * width), parameters, w, into: gradient)
    if let modulation = layer.modulation {
      gradient.collect(modulation) { dTensor in copy(w.dLayerModulation.span, into: &dTensor) }
      var sum = w.dModulation.mutableSpan
      for i in 0..<sum.count { sum[i] += w.dLayerModulation.span[i] }
    }
  }

  private func backward(
    cross layer: Names.Layer, _ crossNorm: Int, _ shape: AttentionShape, slot: Int,
    _ parameters: Parameters, _ w: DiffusionWorkspace, into gradient: GradientAccumulator
  ) {
    let (n, width, context) = (w.rows, config.width, config.contextWidth)
    let rows = slot * n * width..<(slot + 1) * n * width
    let part = slot * shape.projections..<(slot + 1) * shape.projections
    gradient.collect(layer.crossOut) { dWeight in
      linearWeightGradient(
        w.dx.span, x: w.crossZ.span(rows), rows: n, inputs: width, outputs: width, into: &dWeight)
    }
    do {
      var dz = w.dn.mutableSpan
      linearInputGradient(
        w.dx.span, weight: parameters.span(layer.crossOut), rows: n, inputs: width,
        outputs: width, into: &dz)
      var scratch = w.scratch.mutableSpan
      var dqkv = w.dqkv.mutableSpan(0..<shape.projections)
      attentionGradient(
        shape, qkv: w.crossQKV.span(part), rows: .queriesThenPairs(shape), dz: w.dn.span,
        scratch: &scratch, into: &dqkv)
    }
    let dq = w.dqkv.span(0..<n * width)
    let dkv = w.dqkv.span(n * width..<shape.projections)
    gradient.collect(layer.crossKV) { dWeight in
      linearWeightGradient(
        dkv, x: w.context.span, rows: w.tokens, inputs: context, outputs: 2 * context,
        into: &dWeight)
    }
    gradient.collect(layer.crossQ) { dWeight in
      linearWeightGradient(
        dq, x: w.crossNormal.span(rows), rows: n, inputs: width, outputs: width, into: &dWeight)
    }
    do {
      var dContext = w.dContext.mutableSpan
      linearInputGradient(
        dkv, weight: parameters.span(layer.crossKV), rows: w.tokens, inputs: context,
        outputs: 2 * context, adding: true, into: &dContext)
      var dn = w.dn.mutableSpan
      linearInputGradient(
        dq, weight: parameters.span(layer.crossQ), rows: n, inputs: width, outputs: width,
        into: &dn)
    }
    normGradient(crossNorm, w.middle.span(rows), parameters, w, into: gradient)
  }

  /// `dBranch` from `dx`; for adaLN also the gate's gradient, from the branch's output.
  private func gateGradient(
    _ branch: Span<Float>, slot: Int, part: Int, _ w: DiffusionWorkspace
  ) {
    let width = config.width
    var dBranch = w.dBranch.mutableSpan
    guard config.globalConditioning == .adaLN else {
      copy(w.dx.span, into: &dBranch)
      return
    }
    let gate = w.modulationPart(part, slot: slot, width: width)
    let dx = w.dx.span
    var dGate = w.dLayerModulation.mutableSpan(part * width..<(part + 1) * width)
    for i in 0..<width {
      let open = 1 / (1 + Float.exp(gate[i] - 1))
      var sum: Float = 0
      for row in 0..<w.rows {
        let place = row * width + i
        sum += dx[place] * branch[place]
        dBranch[place] = dx[place] * open
      }
      dGate[i] = -sum * open * (1 - open)
    }
  }

  /// For adaLN turns `dn`, the gradient by n (1 + scale) + shift, into that by n.
  private func modulationGradient(
    plain: WorkBuffer, _ rows: Range<Int>, slot: Int, part: Int, _ w: DiffusionWorkspace
  ) {
    guard config.globalConditioning == .adaLN else { return }
    let width = config.width
    let scale = w.modulationPart(part, slot: slot, width: width)
    let n = plain.span(rows)
    var dn = w.dn.mutableSpan
    var dScale = w.dLayerModulation.mutableSpan(part * width..<(part + 1) * width)
    var dShift = w.dLayerModulation.mutableSpan((part + 1) * width..<(part + 2) * width)
    for row in 0..<w.rows {
      for i in 0..<width {
        let place = row * width + i
        unsafe dScale[unchecked: i] += dn[unchecked: place] * n[unchecked: place]
        unsafe dShift[unchecked: i] += dn[unchecked: place]
        unsafe dn[unchecked: place] *= 1 + scale[unchecked: i]
      }
    }
  }

  /// Adds to `dx` what comes through a layer norm without bias, from `dn`.
  private func normGradient(
    _ gamma: Int, _ x: Span<Float>, _ parameters: Parameters, _ w: DiffusionWorkspace,
    into gradient: GradientAccumulator
  ) {
    var dx = w.dx.mutableSpan
    gradient.collectAlways(gamma, also: config.width) { dGamma, dBeta in
      layerNormGradient(
        x, weight: parameters.span(gamma), epsilon: 1e-5, dy: w.dn.span, addingTo: &dx,
        dWeight: &dGamma, dBias: &dBeta)
    }
  }

  /// Memory tokens, the prepended global token and the projections of the latent.
  private func inputGradients(
    _ parameters: Parameters, _ w: DiffusionWorkspace, into gradient: GradientAccumulator
  ) {
    let (io, frames, width) = (config.channels, w.frames, config.width)
    if let memory = names.memory {
      gradient.collect(memory) { dTokens in
        copy(w.dx.span(0..<config.memoryTokens * width), into: &dTokens)
      }
    }
    if config.globalConditioning == .prepend {
      var dGlobal = w.dGlobal.mutableSpan
      copy(
        w.dx.span(config.memoryTokens * width..<(config.memoryTokens + 1) * width), into: &dGlobal)
    }
    let dRows = w.dx.span(config.prefix * width..<w.rows * width)
    gradient.collect(names.projectIn) { dWeight in
      linearWeightGradient(
        dRows, x: w.mixed.span, rows: frames, inputs: io, outputs: width, into: &dWeight)
    }
    do {
      var dMixed = w.dLatent.mutableSpan
      linearInputGradient(
        dRows, weight: parameters.span(names.projectIn), rows: frames, inputs: io,
        outputs: width, into: &dMixed)
    }
    gradient.collect(names.before) { dWeight in
      linearWeightGradient(
        w.dLatent.span, x: w.latent.span, rows: frames, inputs: io, outputs: io, into: &dWeight)
    }
  }

  /// The small networks in front: modulation, global vector, timestep, conditioning tokens.
  private func conditioningGradients(
    _ parameters: Parameters, _ w: DiffusionWorkspace, into gradient: GradientAccumulator
  ) {
    let width = config.width
    if let modulation = names.modulation {
      perceptronGradient(
        w.global.span, modulation.0, modulation.1, modulation.2, modulation.3, rows: 1,
        inputs: width, hidden: width, outputs: 6 * width, inner: w.modulationInner,
        dy: w.dModulation.span, parameters, w, dx: w.dGlobal, into: gradient)
    }
    if let (first, second) = names.global {
      perceptronGradient(
        w.globalInput.span, first, nil, second, nil, rows: 1, inputs: config.globalWidth,
        hidden: width, outputs: width, inner: w.globalInner, dy: w.dGlobal.span, parameters, w,
        dx: nil, into: gradient)
    }
    let dFeatures = WorkBuffer(count: 256)
    perceptronGradient(
      w.features.span, names.time.0, names.time.1, names.time.2, names.time.3, rows: 1,
      inputs: 256, hidden: width, outputs: width, inner: w.timeInner, dy: w.dGlobal.span,
      parameters, w, dx: dFeatures, into: gradient)
    gradient.collect(names.features) { dFrequencies in
      // d cos(2π t f) = −sin · 2π t,  d sin(2π t f) = cos · 2π t
      for i in 0..<128 {
        dFrequencies[i] =
          2 * Float.pi * w.time
          * (dFeatures.span[128 + i] * w.features.span[i]
            - dFeatures.span[i] * w.features.span[128 + i])
      }
    }
    if let (first, second) = names.conditioning {
      perceptronGradient(
        w.contextInput.span, first, nil, second, nil, rows: w.tokens,
        inputs: config.conditioningWidth, hidden: config.contextWidth,
        outputs: config.contextWidth, inner: w.contextInner, dy: w.dContext.span, parameters, w,
        dx: nil, into: gradient)
    }
  }

  /// Backward of linear, SiLU, linear. `dx`, when given, has the input's gradient added to it.
  private func perceptronGradient(
    _ x: Span<Float>, _ first: Int, _ firstBias: Int?, _ second: Int, _ secondBias: Int?,
    rows: Int, inputs: Int, hidden: Int, outputs: Int, inner: WorkBuffer, dy: Span<Float>,
    _ parameters: Parameters, _ w: DiffusionWorkspace, dx: WorkBuffer?,
    into gradient: GradientAccumulator
  ) {
    let size = rows * hidden
    gradient.collect(second) { dWeight in
      linearWeightGradient(
        dy, x: inner.span(size..<2 * size), rows: rows, inputs: hidden, outputs: outputs,
        into: &dWeight)
    }
    if let secondBias {
      gradient.collect(secondBias) { dBias in
        linearBiasGradient(dy, rows: rows, outputs: outputs, into: &dBias)
      }
    }
    do {
      var dh = w.dInner.mutableSpan(0..<size)
      linearInputGradient(
        dy, weight: parameters.span(second), rows: rows, inputs: hidden, outputs: outputs,
        into: &dh)
      var du = w.dInner.mutableSpan(size..<2 * size)
      siluGradient(inner.span(0..<size), dh: w.dInner.span(0..<size), into: &du)
    }
    let du = w.dInner.span(size..<2 * size)
    gradient.collect(first) { dWeight in
      linearWeightGradient(du, x: x, rows: rows, inputs: inputs, outputs: hidden, into: &dWeight)
    }
    if let firstBias {
      gradient.collect(firstBias) { dBias in
        linearBiasGradient(du, rows: rows, outputs: hidden, into: &dBias)
      }
    }
    if let dx {
      var target = dx.mutableSpan
      linearInputGradient(
        du, weight: parameters.span(first), rows: rows, inputs: inputs, outputs: hidden,
        adding: true, into: &target)
    }
  }
}
