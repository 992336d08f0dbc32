// Three-byte MIDI messages between the audio callback and the control thread.
//
// The same order as `ValueQueue`, written for one concrete type, because the compiler's real-time check
// (`@_noLocks`) refuses unspecialised generics.

import Synchronization

/// A bounded queue of MIDI messages (0x00SSDDDD: status, two data bytes) for one sender and one taker.
///
/// Safe because the pointer is private, indices are masked, and the two atomic indices hand every slot
/// from one side to the other.
@safe package struct MessageRing: ~Copyable, @unchecked Sendable {
  private let slots: UnsafeMutablePointer<UInt32>
  private let mask: Int
  private let head = Atomic<Int>(0)
  private let tail = Atomic<Int>(0)

  /// - Parameter capacity: messages that fit; rounded up to a power of two.
  package init(capacity: Int) {
    var size = 2
    while size < capacity { size *= 2 }
    mask = size - 1
    unsafe slots = .allocate(capacity: size)
    unsafe slots.initialize(repeating: 0, count: size)
  }

  deinit { unsafe slots.deallocate() }

  /// Adds `message`; false when the ring is full. Sender only.
  @_noLocks package func offer(_ message: UInt32) -> Bool {
    let end = tail.load(ordering: .relaxed)
    if end &- head.load(ordering: .acquiring) > mask { return false }
    unsafe slots[end & mask] = message
    tail.store(end &+ 1, ordering: .releasing)
    return true
  }

  /// Removes the oldest message; 0, which is no MIDI message, when there is none. Taker only.
  @_noLocks package func take() -> UInt32 {
    let start = head.load(ordering: .relaxed)
    if start == tail.load(ordering: .acquiring) { return 0 }
    let message = unsafe slots[start & mask]
    head.store(start &+ 1, ordering: .releasing)
    return message
  }
}
