// The gradient of the language model's loss: beside LanguageModelLoss.swift, function for function.
//
// In: a window of codes. Out: each tensor's gradient, handed to an accumulator. `dx` runs backward
// through the layers; gradients are named d + what they are the gradient by.

import Kernels

extension LanguageModelLoss {
  /// The loss, and its gradient handed to `gradient`.
  package func gradient(
    of window: Window, _ parameters: Parameters, _ w: Workspace,
    into gradient: GradientAccumulator
  ) -> Double {
    forward(window, parameters, w)
    w.dx.clear()
    w.dn.clear()
    let loss = readHeads(window, parameters, w, gradient: gradient)
    let (t, c) = (w.steps, config.hidden)
    do {
      var dx = w.dx.mutableSpan
      let x = w.x.span(layers.count * t * c..<(layers.count + 1) * t * c)
      normGradient(lastNorm, x, parameters, dy: w.dn.span, into: &dx, gradient)
    }
    let lowest = layers.firstIndex { gradient.wants(prefix: $0.prefix) } ?? layers.count
    let wantsEmbeddings = embeddings.contains { gradient.wants($0) }
    for l in layers.indices.reversed() where wantsEmbeddings || l >= lowest {
      if !w.keepsLayers { forward(layer: l, parameters, w) }
      backward(layer: l, parameters, w, into: gradient)
    }
    if wantsEmbeddings { embeddingGradient(window, w, into: gradient) }
    return loss
  }

  /// The loss from the output, leaving the gradient by the output (T, C) in `dn`.
  private func readHeads(
    _ window: Window, _ parameters: Parameters, _ w: Workspace,
    gradient: GradientAccumulator
  ) -> Double {
    let (c, v) = (config.hidden, config.cardinality)
    let count = counted(window)
    var total = 0.0
    for k in 0..<config.codebooks {
      let targets = readHead(k, window, parameters, w)
      let rows = targets.count
      do {
        var logits = w.logits.mutableSpan(0..<rows * v)
        total += crossEntropy(
          &logits, targets: targets, classes: v, weight: 1 / Float(count))
      }
      let dLogits = w.logits.span(0..<rows * v)
      gradient.collect(heads[k]) { dWeight in
        linearWeightGradient(
          dLogits, x: w.chosen.span, rows: rows, inputs: c, outputs: v, into: &dWeight)
      }
      do {
        var dChosen = w.chosen.mutableSpan
        linearInputGradient(
          dLogits, weight: parameters.span(heads[k]), rows: rows, inputs: c, outputs: v,
          into: &dChosen)
      }
      var dOutput = w.dn.mutableSpan
      var row = 0
      for frame in 0..<window.frames where window.mask?[frame] ?? true {
        let to = (frame + delays[k]) * c
        let part = w.chosen.span(row * c..<(row + 1) * c)
        for i in 0..<c { unsafe dOutput[unchecked: to + i] += part[unchecked: i] }
        row += 1
      }
    }
    return total / Double(count)
  }

  /// On entry `dx` is the gradient by the layer's output, on return by its input.
  private func backward(
    layer l: Int, _ parameters: Parameters, _ w: Workspace,
    into gradient: GradientAccumulator
  ) {
    let layer = layers[l]
    let (t, c, f) = (w.steps, config.hidden, config.feedForward)
    let slot = w.keepsLayers ? l : 0
    let rows = slot * t * c..<(slot + 1) * t * c
    let wide = slot * t * f..<(slot + 1) * t * f
    gradient.collect(layer.fc2) { dWeight in
      linearWeightGradient(
        w.dx.span, x: w.h.span(wide), rows: t, inputs: f, outputs: c, into: &dWeight)
    }
    do {
      var dh = w.dh.mutableSpan
      linearInputGradient(
        w.dx.span, weight: parameters.span(layer.fc2), rows: t, inputs: f, outputs: c, into: &dh)
    }
    do {
      var du = w.du.mutableSpan
      geluGradient(w.u.span(wide), dh: w.dh.span, into: &du)
    }
    gradient.collect(layer.fc1) { dWeight in
      linearWeightGradient(
        w.du.span, x: w.lastNormal.span(rows), rows: t, inputs: c, outputs: f, into: &dWeight)
    }
    do {
      var dn = w.dn.mutableSpan
      linearInputGradient(
        w.du.span, weight: parameters.span(layer.fc1), rows: t, inputs: c, outputs: f, into: &dn)
    }
    do {
      var dx = w.dx.mutableSpan
      normGradient(
        layer.norm, w.cross == nil ? w.middle.span(rows) : w.crossed.span(rows), parameters,
        dy: w.dn.span, into: &dx, gradient)
    }
    if let cross = layer.cross, let shape = w.cross {
      backward(cross: cross, shape, slot: slot, parameters, w, into: gradient)
    }
    attentionBackward(
      layer.own.out, w.own, z: w.z.span(rows), dx: w.dx.span,
      qkv: w.qkv.span(slot * w.own.projections..<(slot + 1) * w.own.projections), parameters,
      dz: w.dz, dqkv: w.dqkv, scratch: w.scratch, gradient)
    for (i, weight) in [layer.own.q, layer.own.k, layer.own.v].enumerated() {
      let part = w.dqkv.span(i * t * c..<(i + 1) * t * c)
      gradient.collect(weight) { dWeight in
        linearWeightGradient(
          part, x: w.normal.span(rows), rows: t, inputs: c, outputs: c, into: &dWeight)
      }
      var dn = w.dn.mutableSpan
      linearInputGradient(
        part, weight: parameters.span(weight), rows: t, inputs: c, outputs: c, adding: i > 0,
        into: &dn)
    }
    var dx = w.dx.mutableSpan
    normGradient(
      layer.own.norm, w.x.span(l * t * c..<(l + 1) * t * c), parameters, dy: w.dn.span,
      into: &dx, gradient)
  }

  private func backward(
    cross: Attention, _ shape: AttentionShape, slot: Int, _ parameters: Parameters,
    _ w: Workspace, into gradient: GradientAccumulator
  ) {
    let (t, c, s) = (w.steps, config.hidden, w.text)
    let rows = slot * t * c..<(slot + 1) * t * c
    attentionBackward(
      cross.out, shape, z: w.crossZ.span(rows), dx: w.dx.span,
      qkv: w.crossQKV.span(slot * shape.projections..<(slot + 1) * shape.projections), parameters,
      dz: w.dz, dqkv: w.dqkv, scratch: w.scratch, gradient)
    for (i, weight) in [cross.k, cross.v].enumerated() {
      let part = w.dqkv.span(t * c + i * s * c..<t * c + (i + 1) * s * c)
      gradient.collect(weight) { dWeight in
        linearWeightGradient(
          part, x: w.states.span, rows: s, inputs: c, outputs: c, into: &dWeight)
      }
    }
    let dq = w.dqkv.span(0..<t * c)
    gradient.collect(cross.q) { dWeight in
      linearWeightGradient(
        dq, x: w.crossNormal.span(rows), rows: t, inputs: c, outputs: c, into: &dWeight)
    }
    do {
      var dn = w.dn.mutableSpan
      linearInputGradient(
        dq, weight: parameters.span(cross.q), rows: t, inputs: c, outputs: c, into: &dn)
    }
    var dx = w.dx.mutableSpan
    normGradient(
      cross.norm, w.middle.span(rows), parameters, dy: w.dn.span, into: &dx, gradient)
  }

  /// From the gradient by a block's output to those by its queries, keys and values.
  private func attentionBackward(
    _ out: Int, _ shape: AttentionShape, z: Span<Float>, dx: Span<Float>, qkv: Span<Float>,
    _ parameters: Parameters, dz: WorkBuffer, dqkv: WorkBuffer,
    scratch: WorkBuffer, _ gradient: GradientAccumulator
  ) {
    let (t, c) = (shape.queries, config.hidden)
    gradient.collect(out) { dWeight in
      linearWeightGradient(dx, x: z, rows: t, inputs: c, outputs: c, into: &dWeight)
    }
    do {
      var dzSpan = dz.mutableSpan
      linearInputGradient(
        dx, weight: parameters.span(out), rows: t, inputs: c, outputs: c, into: &dzSpan)
    }
    var dqkvSpan = dqkv.mutableSpan(0..<shape.projections)
    var scratchSpan = scratch.mutableSpan
    attentionGradient(
      shape, qkv: qkv, rows: .separate(shape), dz: dz.span, scratch: &scratchSpan,
      into: &dqkvSpan)
  }

  private func embeddingGradient(
    _ window: Window, _ w: Workspace, into gradient: GradientAccumulator
  ) {
    let c = config.hidden
    let scale = config.scaleEmbedding ? Float(c).squareRoot() : 1
    for k in 0..<config.codebooks {
      gradient.collect(embeddings[k]) { dTable in
        for i in 0..<dTable.count { dTable[i] = 0 }
        for step in 0..<w.steps {
          let row = input(window, codebook: k, step: step) * c
          for i in 0..<c { dTable[row + i] += scale * w.dx.span[step * c + i] }
        }
      }
    }
  }

  func normGradient(
    _ norm: Norm, _ x: Span<Float>, _ parameters: Parameters, dy: Span<Float>,
    into dx: inout MutableSpan<Float>, _ gradient: GradientAccumulator
  ) {
    gradient.collect(norm.weight, norm.bias) { dWeight, dBias in
      layerNormGradient(
        x, weight: parameters.span(norm.weight), epsilon: 1e-5, dy: dy, addingTo: &dx,
        dWeight: &dWeight, dBias: &dBias)
    }
  }
}
