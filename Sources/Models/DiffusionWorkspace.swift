// Everything between input and output of the diffusion transformer, for one number of frames and of
// conditioning tokens.

import Kernels

/// Activations and gradients of one draw; belongs to one thread.
///
/// Activations of every layer are kept when `keepsLayers`, else of one layer at a time, and the
/// backward pass computes them again from the layer's input.
package final class DiffusionWorkspace {
  /// T, frames of the latent.
  package let frames: Int
  /// S, conditioning tokens.
  package let tokens: Int
  package let keepsLayers: Bool
  let rows: Int
  let own: AttentionShape
  let cross: AttentionShape?
  let rotary: RotaryTable
  /// Timestep of the draw.
  var time: Float = 0
  let latent: WorkBuffer  // (T, io)
  let mixed: WorkBuffer  // (T, io), behind preprocess_conv
  let predicted: WorkBuffer  // (T, io), before postprocess_conv
  let contextInput: WorkBuffer  // (S, conditioning width)
  let contextInner: WorkBuffer  // (2, S, context width)
  let context: WorkBuffer  // (S, context width)
  let features: WorkBuffer  // (256)
  let timeInner: WorkBuffer  // (2, W)
  let globalInput: WorkBuffer  // (global width)
  let globalInner: WorkBuffer  // (2, W)
  let globalOnly: WorkBuffer  // (W), before the timestep is added
  let global: WorkBuffer  // (W)
  let modulationInner: WorkBuffer  // (2, W)
  let modulation: WorkBuffer  // (6, W): scale, shift, gate of attention, then of feed-forward
  let layerModulation: WorkBuffer  // (slots, 6, W)
  let x: WorkBuffer  // (L + 1, N, W)
  let plain: WorkBuffer  // (slots, N, W) for adaLN
  let normal: WorkBuffer  // (slots, N, W)
  let qkv: WorkBuffer  // (slots, N, 3·W)
  let z: WorkBuffer  // (slots, N, W)
  let ownOut: WorkBuffer  // (slots, N, W)
  let middle: WorkBuffer  // (slots, N, W)
  let crossNormal: WorkBuffer  // (slots, N, W)
  let crossQKV: WorkBuffer  // (slots, N·W + 2·S·context width)
  let crossZ: WorkBuffer  // (slots, N, W)
  let crossed: WorkBuffer  // (slots, N, W)
  let lastPlain: WorkBuffer  // (slots, N, W) for adaLN
  let lastNormal: WorkBuffer  // (slots, N, W)
  let u: WorkBuffer  // (slots, N, 2·F)
  let h: WorkBuffer  // (slots, N, F)
  let lastOut: WorkBuffer  // (slots, N, W)
  let scratch: WorkBuffer
  let dLatent: WorkBuffer  // (T, io)
  let dPredicted: WorkBuffer  // (T, io)
  let dx: WorkBuffer  // (N, W)
  let dBranch: WorkBuffer  // (N, W)
  let dn: WorkBuffer  // (N, W)
  let dqkv: WorkBuffer
  let du: WorkBuffer  // (N, 2·F)
  let dh: WorkBuffer  // (N, F)
  let dContext: WorkBuffer  // (S, context width)
  let dModulation: WorkBuffer  // (6, W), summed over layers
  let dLayerModulation: WorkBuffer  // (6, W)
  let dGlobal: WorkBuffer  // (W)
  let dInner: WorkBuffer  // two rows of the widest perceptron

  package init(
    _ network: DiffusionTransformer, frames: Int, tokens: Int, keepsLayers: Bool = true
  ) {
    let config = network.config
    precondition(tokens == 0 || config.conditioningWidth > 0, "no cross-attention")
    let (t, io, width, f) = (frames, config.channels, config.width, config.feedForward)
    let context = config.contextWidth
    let n = config.prefix + t
    let slots = keepsLayers ? config.depth : 1
    let isModulated = config.globalConditioning == .adaLN
    func floats(_ count: Int) -> WorkBuffer { WorkBuffer(count: count) }
    self.frames = t
    self.tokens = tokens
    self.keepsLayers = keepsLayers
    rows = n
    own = AttentionShape(
      queries: n, keys: n, heads: config.heads, keyHeads: config.heads,
      dimension: config.headDimension, isCausal: false)
    cross =
      tokens == 0
      ? nil
      : AttentionShape(
        queries: n, keys: tokens, heads: config.heads, keyHeads: config.contextHeads,
        dimension: config.headDimension, isCausal: false)
    rotary = RotaryTable(positions: n, inverseFrequencies: network.inverseFrequencies)
    latent = floats(t * io)
    mixed = floats(t * io)
    predicted = floats(t * io)
    contextInput = floats(tokens * config.conditioningWidth)
    contextInner = floats(2 * tokens * context)
    self.context = floats(tokens * context)
    features = floats(256)
    timeInner = floats(2 * width)
    globalInput = floats(config.globalWidth)
    globalInner = floats(2 * width)
    globalOnly = floats(width)
    global = floats(width)
    modulationInner = floats(2 * width)
    modulation = floats(6 * width)
    layerModulation = floats(isModulated ? slots * 6 * width : 0)
    x = floats((config.depth + 1) * n * width)
    let layer = slots * n * width
    let crossLayer = tokens == 0 ? 0 : layer
    plain = floats(isModulated ? layer : 0)
    normal = floats(layer)
    qkv = floats(slots * own.projections)
    z = floats(layer)
    ownOut = floats(layer)
    middle = floats(layer)
    crossNormal = floats(crossLayer)
    crossQKV = floats(slots * (cross?.projections ?? 0))
    crossZ = floats(crossLayer)
    crossed = floats(crossLayer)
    lastPlain = floats(isModulated ? layer : 0)
    lastNormal = floats(layer)
    u = floats(2 * slots * n * f)
    h = floats(slots * n * f)
    lastOut = floats(layer)
    scratch = floats(max(own.scratch, cross?.scratch ?? 0))
    dLatent = floats(t * io)
    dPredicted = floats(t * io)
    dx = floats(n * width)
    dBranch = floats(n * width)
    dn = floats(n * width)
    dqkv = floats(max(own.projections, cross?.projections ?? 0))
    du = floats(2 * n * f)
    dh = floats(n * f)
    dContext = floats(tokens * context)
    dModulation = floats(6 * width)
    dLayerModulation = floats(6 * width)
    dGlobal = floats(width)
    dInner = floats(2 * max(width, tokens * context, 256))
  }

  /// Bytes of a workspace of that size.
  package static func bytes(
    _ network: DiffusionTransformer, frames: Int, tokens: Int, keepsLayers: Bool
  ) -> Int {
    let config = network.config
    let (t, io, width, f) = (frames, config.channels, config.width, config.feedForward)
    let (n, told) = (config.prefix + t, tokens * config.contextWidth)
    let own = AttentionShape(
      queries: n, keys: n, heads: config.heads, keyHeads: config.heads,
      dimension: config.headDimension, isCausal: false)
    let cross =
      tokens == 0
      ? nil
      : AttentionShape(
        queries: n, keys: tokens, heads: config.heads, keyHeads: config.contextHeads,
        dimension: config.headDimension, isCausal: false)
    let modulated = config.globalConditioning == .adaLN ? 6 * width + 2 * n * width : 0
    let crossed = cross.map { 3 * n * width + $0.projections } ?? 0
    let layer = modulated + crossed + 6 * n * width + own.projections + 3 * n * f
    let ends = 5 * t * io + tokens * config.conditioningWidth + 4 * told + config.globalWidth
    let vectors = 256 + 27 * width + 2 * max(width, told, 256)
    let backward = 3 * n * width + 3 * n * f + max(own.projections, cross?.projections ?? 0)
    let all =
      (keepsLayers ? config.depth : 1) * layer + ends + vectors + backward
      + (config.depth + 1) * n * width + max(own.scratch, cross?.scratch ?? 0)
    return all * MemoryLayout<Float>.size
  }

  /// One of the six parts of a layer's modulation (W).
  @_lifetime(immortal) func modulationPart(_ part: Int, slot: Int, width: Int) -> Span<Float> {
    let start = (slot * 6 + part) * width
    return layerModulation.span(start..<start + width)
  }
}
