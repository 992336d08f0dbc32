import Reporting
import Testing

@Suite("Progress bar")
struct ProgressBarTests {
  @Test("accepts any amount without trapping, also an empty job")
  func anyAmount() {
    let bar = ProgressBar("work", total: 0)
    for done in [-1.0, 0, 1, .infinity, .nan] { bar.show(done) }
    bar.finish()
  }
}
