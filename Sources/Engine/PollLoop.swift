// The control thread's one loop: OSC socket, signals, and a timer for everything that polls.

internal import CPoll

#if canImport(Glibc)
  import Glibc
#endif

/// Waits for any of: a packet, a signal, 5 ms.
package final class PollLoop {
  private let signals: Int32
  private let timer: Int32
  private let socket: Int32

  /// Takes SIGTERM, SIGINT and SIGHUP away from their default actions. One loop per process.
  /// - Parameter socket: descriptor of the OSC socket.
  package init(socket: Int32, milliseconds: Int = 5) {
    self.socket = socket
    signals = continuo_signal_descriptor()
    timer = continuo_timer_descriptor(Int32(milliseconds))
  }

  deinit {
    close(timer)
  }

  /// What woke the loop.
  package struct Wake: Sendable {
    package var signal: Int32?
    package var isTimer = false
  }

  /// Waits for the next event.
  package func wait() -> Wake {
    var descriptors = [socket, signals, timer].map {
      pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
    }
    var wake = Wake()
    guard unsafe poll(&descriptors, 3, 100) > 0 else { return wake }
    if descriptors[1].revents != 0 {
      let number = continuo_read_signal(signals)
      if number != 0 { wake.signal = number }
    }
    if descriptors[2].revents != 0 {
      _ = continuo_read_timer(timer)
      wake.isTimer = true
    }
    return wake
  }
}
