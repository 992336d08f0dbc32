// The only place that holds libsndfile's pointer. Opens, seeks, reads and writes interleaved blocks.

import CSndFile
import Foundation

/// An open libsndfile handle, closed at the latest when the object goes away. Used from one thread.
///
/// Safe: the pointer never leaves this type, is released exactly once (`close` forgets it; libsndfile
/// answers a forgotten, null handle with an error), and every buffer is checked to hold the frames
/// that are asked of it.
@safe final class SoundFileHandle {
  private var file: OpaquePointer?
  let info: SF_INFO

  /// Opens for reading.
  /// - Returns: nil with libsndfile's code and words when it refuses.
  static func reading(_ path: String, refused: (Int32, String) -> Void) -> SoundFileHandle? {
    var info = SF_INFO()
    guard let file = unsafe sf_open(path, Int32(SFM_READ), &info) else {
      unsafe refused(sf_error(nil), String(cString: sf_strerror(nil)))
      return nil
    }
    return unsafe SoundFileHandle(file: file, info: info)
  }

  /// Opens for writing, replacing what is there.
  static func writing(
    _ path: String, rate: Int, channels: Int, format: Int32, refused: (Int32, String) -> Void
  ) -> SoundFileHandle? {
    var info = SF_INFO()
    info.samplerate = Int32(clamping: rate)
    info.channels = Int32(clamping: channels)
    info.format = format
    guard let file = unsafe sf_open(path, Int32(SFM_WRITE), &info) else {
      unsafe refused(sf_error(nil), String(cString: sf_strerror(nil)))
      return nil
    }
    // Values above full scale are clipped, not wrapped; no time stamp makes two renders differ.
    unsafe sf_command(file, Int32(SFC_SET_CLIPPING), nil, Int32(SF_TRUE))
    unsafe sf_command(file, Int32(SFC_SET_ADD_PEAK_CHUNK), nil, Int32(SF_FALSE))
    return unsafe SoundFileHandle(file: file, info: info)
  }

  private init(file: OpaquePointer?, info: SF_INFO) {
    unsafe self.file = file
    self.info = info
  }

  /// libsndfile's code and words for the last failure on this handle; code 0 when there was none.
  var failure: (code: Int32, words: String) {
    unsafe (sf_error(file), String(cString: sf_strerror(file)))
  }

  /// Moves to `frame`; false when the format or the file refuses.
  func seek(to frame: Int) -> Bool {
    unsafe sf_seek(file, sf_count_t(frame), Int32(SEEK_SET)) == sf_count_t(frame)
  }

  /// Reads up to `frames` frames into `block`.  // (frames, channels) interleaved
  /// - Returns: how many were there.
  func read(_ block: inout [Float], frames: Int) -> Int {
    precondition(block.count >= frames * Int(info.channels))
    return unsafe block.withUnsafeMutableBufferPointer {
      Int(unsafe sf_readf_float(file, $0.baseAddress, sf_count_t(frames)))
    }
  }

  /// Writes the first `frames` frames of `block`.  // (frames, channels) interleaved
  /// - Returns: how many were taken.
  func write(_ block: [Float], frames: Int) -> Int {
    precondition(block.count >= frames * Int(info.channels))
    return unsafe block.withUnsafeBufferPointer {
      Int(unsafe sf_writef_float(file, $0.baseAddress, sf_count_t(frames)))
    }
  }

  /// Ends the file.
  /// - Returns: libsndfile's code, 0 when all is well.
  @discardableResult
  func close() -> Int32 {
    guard let open = unsafe file else { return 0 }
    unsafe file = nil
    return unsafe sf_close(open)
  }

  deinit { close() }
}
