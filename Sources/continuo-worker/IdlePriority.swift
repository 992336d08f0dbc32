// Makes this process give way to everything else: it must never disturb the audio.

#if canImport(Glibc)
  import Glibc
#endif

enum IdlePriority {
  /// Lowest nice value, the scheduler's idle class for CPU and disk.
  static func take() {
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
    var parameters = sched_param()
    parameters.sched_priority = 0
    let idle: Int32 = 5  // SCHED_IDLE
    _ = unsafe sched_setscheduler(0, idle, &parameters)
  }
}
