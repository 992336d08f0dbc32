// Files of NumPy arrays for tests of what reads them.

import Foundation

/// A NumPy array of single precision.
/// - Parameters:
///   - version: of the format; 2 has a longer field for the header's length.
///   - words: replaced in the header.
func numpyArray(
  _ values: [Float], shape: [Int], version: UInt8 = 1, words: [(String, String)] = []
) -> Data {
  let extents = shape.map { "\($0)," }.joined(separator: " ")
  var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(extents)), }"
  for (old, new) in words { header = header.replacingOccurrences(of: old, with: new) }
  let fixed = version == 1 ? 10 : 12
  while (fixed + header.utf8.count + 1) % 64 != 0 { header += " " }
  header += "\n"
  var data = Data([0x93] + Array("NUMPY".utf8) + [version, 0])
  let length = header.utf8.count
  for place in 0..<fixed - 8 { data.append(UInt8(truncatingIfNeeded: length >> (8 * place))) }
  data.append(Data(header.utf8))
  for value in values {
    let bits = value.bitPattern
    data.append(contentsOf: [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: bits >> UInt32($0)) })
  }
  return data
}
