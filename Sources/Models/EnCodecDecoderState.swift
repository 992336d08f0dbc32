// Codes to sound while the codes are still being made.
//
// In: codes, K per step. Out: frames of audio, −1 … 1, each as soon as no later code can change it:
// `EnCodec.decoderLookahead` frames behind the newest step. All that comes out until `finish` equals
// `EnCodec.decode` of all the codes.

package import Kernels

/// A running decoder.
///
/// Threading: used by one thread at a time. Allocates in `init` and `makeSnapshot` only, except for the
/// variants that return arrays.
package final class EnCodecDecoderState {
  package let codec: EnCodec
  /// Codes per step (K).
  package let codebooks: Int
  private let stream: EnCodecStream
  private let latents: WorkBuffer  // (blockSteps, hiddenSize)
  private var position = EnCodecPosition()

  /// - Parameters:
  ///   - codebooks: K; nil for the codec's own.
  ///   - blockSteps: how many steps are computed at a time. More steps cost less each, since the weights
  ///     are read once per block; more than ten gain little.
  package init(codec: EnCodec, codebooks: Int? = nil, blockSteps: Int = 10) {
    self.codec = codec
    self.codebooks = codebooks ?? codec.codebooks
    precondition(
      self.codebooks >= 1 && self.codebooks <= codec.quantiser.codebooks && blockSteps >= 1)
    stream = EnCodecStream(network: codec.decoder, blockRows: blockSteps)
    latents = WorkBuffer(count: blockSteps * codec.config.hiddenSize)
  }

  /// Steps pushed since the beginning.
  package var stepsTaken: Int { position.taken }
  /// Frames given since the beginning. The next frame that comes out is this one.
  package var framesGiven: Int { position.given }

  /// Frames that may come out when `steps` more steps are pushed, or at the end for 0.
  package func room(steps: Int) -> Int { (position.taken + steps) * codec.hop - position.given }

  /// Takes codes and gives the audio that became final.
  ///
  /// - Parameters:
  ///   - codes: (count, K), each 0 ..< cardinality.
  ///   - count: any number of steps.
  ///   - audio: receives frames (room(steps: count), audioChannels); fewer are written.
  /// - Returns: how many frames were written.
  package func push(
    _ codes: Span<Int32>, count: Int, into audio: inout MutableSpan<Float>, pool: ComputePool
  ) -> Int {
    let width = codec.config.hiddenSize
    var (done, written) = (0, 0)
    while done < count {
      let part = min(stream.blockRows, count - done)
      var target = latents.mutableSpan(0..<part * width)
      codec.quantiser.decode(
        codes.extracting(done * codebooks..<(done + part) * codebooks), count: part,
        books: codebooks, into: &target)
      written += stream.push(
        latents.span(0..<part * width), count: part, into: &audio, at: written, pool: pool)
      done += part
    }
    position.taken += count
    position.given += written
    return written
  }

  /// Ends the stream and gives the rest of the audio, computed as at the end of a clip. Only `reset` and
  /// `restore` make sense afterwards.
  ///
  /// - Returns: how many frames were written; with all before, steps · hop.
  package func finish(into audio: inout MutableSpan<Float>, pool: ComputePool) -> Int {
    let written = stream.finish(into: &audio, pool: pool)
    position.given += written
    return written
  }

  /// As `push`, returning an array.
  package func push(_ codes: [Int32], pool: ComputePool) -> [Float] {
    let count = codes.count / codebooks
    precondition(codes.count == count * codebooks, "codes come in whole steps")
    return array(steps: count) { push(codes.span, count: count, into: &$0, pool: pool) }
  }

  /// As `finish`, returning an array.
  package func finish(pool: ComputePool) -> [Float] {
    array(steps: 0) { finish(into: &$0, pool: pool) }
  }

  private func array(steps: Int, _ fill: (inout MutableSpan<Float>) -> Int) -> [Float] {
    let channels = codec.config.audioChannels
    var audio = [Float](repeating: 0, count: room(steps: steps) * channels)
    var span = audio.mutableSpan
    let frames = fill(&span)
    audio.removeLast(audio.count - frames * channels)
    return audio
  }

  /// Returns to the beginning.
  package func reset() {
    stream.reset()
    position = EnCodecPosition()
  }

  /// Room for a snapshot of this stream.
  package func makeSnapshot() -> EnCodecSnapshot { stream.makeSnapshot() }

  /// Remembers this moment.
  package func save(to snapshot: EnCodecSnapshot) { stream.save(position, to: snapshot) }

  /// Returns to the moment of `save`, whatever came since.
  package func restore(from snapshot: EnCodecSnapshot) { position = stream.restore(from: snapshot) }
}
