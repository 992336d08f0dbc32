// NTP time tags of Open Sound Control, and the system's clock in the same unit.

import Foundation

/// Time tags: 2⁻³² seconds since 1 January 1900.
package enum OSCTime {
  /// "At once".
  package static let immediately: UInt64 = 1

  /// Seconds from 1900 to 1970.
  private static let epoch: UInt64 = 2_208_988_800

  /// The tag of a moment in seconds since 1970.
  package static func tag(seconds: Double) -> UInt64 {
    let whole = seconds.rounded(.down)
    let fraction = UInt64((seconds - whole) * 4_294_967_296)
    return (UInt64(max(0, whole)) + epoch) << 32 | min(fraction, 0xFFFF_FFFF)
  }

  /// Seconds since 1970 of a tag.
  package static func seconds(tag: UInt64) -> Double {
    Double(tag >> 32) - Double(epoch) + Double(tag & 0xFFFF_FFFF) / 4_294_967_296
  }

  /// Seconds since 1970 now.
  package static func now() -> Double { Date().timeIntervalSince1970 }
}
