import Models
import TestSupport
import Testing

// Agreement of whole encoders with the reference is in MusicGenCheckTests; here are the buckets.
@Suite("Text encoder")
struct TextEncoderTests {
  // Known answers of transformers' T5Attention._relative_position_bucket, 32 buckets, distance 128.
  @Test("relative positions fall into the reference's buckets")
  func buckets() {
    let known = [
      (0, 0), (1, 17), (-1, 1), (7, 23), (-7, 7), (8, 24), (-8, 8), (-11, 8), (-12, 9), (-16, 10),
      (-23, 11), (31, 27), (-45, 12), (-46, 13), (64, 30), (-91, 15), (127, 31), (128, 31),
      (-500, 15),
    ]
    for (relative, bucket) in known {
      #expect(
        TextEncoder.bucket(relative, buckets: 32, maxDistance: 128) == bucket, "\(relative)")
    }
  }
}
