// A bounded queue of small plain values between two threads: commands, meters, MIDI messages.
//
// Threading: one thread offers, one thread takes; neither waits. The sender stores the value before it
// releases `tail`; the taker reads the value before it releases `head`.

import Synchronization

/// A queue of trivial values for one sender and one taker.
///
/// Safe because the pointer is private, indices are masked, and a slot is owned by the sender until
/// `tail` passes it and by the taker until `head` passes it.
@safe package struct ValueQueue<Value: BitwiseCopyable & Sendable>: ~Copyable, @unchecked Sendable {
  private let slots: UnsafeMutablePointer<Value>
  private let mask: Int
  private let head = Atomic<Int>(0)
  private let tail = Atomic<Int>(0)

  /// - Parameters:
  ///   - capacity: values that fit at least.
  ///   - filler: any value; what empty slots hold.
  package init(capacity: Int, filler: Value) {
    var size = 2
    while size < capacity { size *= 2 }
    mask = size - 1
    unsafe slots = .allocate(capacity: size)
    unsafe slots.initialize(repeating: filler, count: size)
  }

  deinit { unsafe slots.deallocate() }

  /// Adds `value`; false when the queue is full. Sender only.
  package func offer(_ value: Value) -> Bool {
    let end = tail.load(ordering: .relaxed)
    guard end &- head.load(ordering: .acquiring) <= mask else { return false }
    unsafe slots[end & mask] = value
    tail.store(end &+ 1, ordering: .releasing)
    return true
  }

  /// Removes the oldest value; nil when there is none. Taker only.
  package func take() -> Value? {
    let start = head.load(ordering: .relaxed)
    guard start != tail.load(ordering: .acquiring) else { return nil }
    let value = unsafe slots[start & mask]
    head.store(start &+ 1, ordering: .releasing)
    return value
  }

  /// Whether there is nothing to take.
  package var isEmpty: Bool {
    head.load(ordering: .acquiring) == tail.load(ordering: .acquiring)
  }
}
