import Models
import Testing

@Suite("Window plan")
struct WindowPlanTests {
  @Test(
    "the next window is exactly full at the swap and never ahead of what is known",
    arguments: [
      WindowPlan(), WindowPlan(length: 40, context: 12, rate: 3),
      WindowPlan(length: 100, context: 49, rate: 4),
    ])
  func filling(plan: WindowPlan) {
    for origin in [0, 700] {
      let swap = origin + plan.length
      #expect(plan.filled(beforePosition: origin, origin: origin) == 0)
      #expect(plan.filled(beforePosition: swap, origin: origin) == plan.context)
      let next = swap - plan.context
      for position in origin..<swap {
        let filled = plan.filled(beforePosition: position + 1, origin: origin)
        let added = filled - plan.filled(beforePosition: position, origin: origin)
        #expect(added <= plan.rate)
        // The newest fed position of the next window is known when `position` is.
        #expect(filled == 0 || next + filled - 1 <= position)
      }
    }
  }
}
