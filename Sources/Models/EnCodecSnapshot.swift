// The remembered state of a codec stream: what a live player returns to when a knob has been turned.

#if canImport(Glibc)
  import Glibc
#endif

/// Room for the state of one stream at one moment. Made once, overwritten as often as wanted: saving and
/// restoring copy a few dozen kilobytes and allocate nothing.
///
/// Threading: used by one thread at a time.
/// Safe because the memory is made and freed here and only lent to the stream that it was made for,
/// which checks its size.
@safe package final class EnCodecSnapshot {
  /// Size of the state.
  package let bytes: Int
  let memory: UnsafeMutableRawPointer
  /// Steps and frames that had gone in and come out.
  var position = EnCodecPosition()

  init(bytes: Int) {
    self.bytes = bytes
    unsafe memory = .allocate(byteCount: max(bytes, 1), alignment: 64)
    unsafe memset(memory, 0, bytes)
  }

  deinit { unsafe memory.deallocate() }
}

/// How far a stream has come.
struct EnCodecPosition {
  /// Steps that went into the decoder, frames that went into the encoder.
  var taken = 0
  /// Frames that came out of the decoder, steps that came out of the encoder.
  var given = 0
}
