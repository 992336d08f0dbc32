// A signal with a known answer.

import Foundation

/// A sine at half scale, starting at phase 0.
func tone(_ frames: Int, rate: Int, hertz: Double = 440) -> [Float] {
  (0..<frames).map { Float(0.5 * sin(2 * .pi * hertz * Double($0) / Double(rate))) }
}
