// What can be wrong with a sound file that is read or written.

import Foundation
package import Reporting

/// A sound file that cannot be used, with its path and the value that is at fault.
package enum AudioFileError: Explained, Equatable {
  case noSuchFile(path: String)
  case notReadable(path: String, reason: String)
  case notAFile(path: String)
  case empty(path: String)
  case notAudio(path: String, reason: String)
  case damaged(path: String, reason: String)
  case absurdHeader(path: String, what: String)
  case notFinite(path: String, second: Double)
  case tooLong(path: String, seconds: Double, limit: Double)
  case partOutside(path: String, from: Double, seconds: Double)
  case unknownExtension(path: String)
  case formatRefused(path: String, what: String)

  package var kind: FailureKind {
    switch self {
    case .noSuchFile, .notReadable, .notAFile: .noInput
    case .empty, .notAudio, .damaged, .absurdHeader, .notFinite, .tooLong: .data
    case .partOutside, .unknownExtension, .formatRefused: .usage
    }
  }

  package var problem: String {
    switch self {
    case .noSuchFile(let path): "\(path): no such file"
    case .notReadable(let path, let reason): "\(path) cannot be read: \(reason)"
    case .notAFile(let path): "\(path) is no regular file"
    case .empty(let path): "\(path) holds no sound, not a single frame"
    case .notAudio(let path, let reason): "\(path) is no sound file that is known here (\(reason))"
    case .damaged(let path, let reason): "\(path) is damaged: \(reason)"
    case .absurdHeader(let path, let what): "\(path) claims \(what)"
    case .notFinite(let path, let second):
      "\(path) holds a value that is no number at \(format(second)) s"
    case .tooLong(let path, let seconds, let limit):
      "\(path) is \(format(seconds)) s long, more than the \(format(limit)) s that fit"
    case .partOutside(let path, let from, let seconds):
      "\(path) ends at \(format(seconds)) s, before the part from \(format(from)) s begins"
    case .unknownExtension(let path): "\(path): the ending names no sound format"
    case .formatRefused(let path, let what): "\(path): \(what)"
    }
  }

  package var remedy: String {
    switch self {
    case .noSuchFile: "check the path"
    case .notReadable: "check the permissions"
    case .notAFile: "give a WAV, FLAC, OGG, Opus, AIFF or MP3 file"
    case .empty: "record or export it again"
    case .notAudio: "give a WAV, FLAC, OGG, Opus, AIFF or MP3 file"
    case .damaged, .absurdHeader, .notFinite: "export it again, or repair it with sox or ffmpeg"
    case .tooLong: "cut it first, or ask for a part of it"
    case .partOutside: "ask for an earlier part"
    case .unknownExtension: "end the name in .wav, .flac, .ogg or .aiff"
    case .formatRefused: "choose another format, rate or channel count"
    }
  }

  private func format(_ seconds: Double) -> String { String(format: "%.2f", seconds) }
}
