#include "cli/show_plan.h"

#include <chrono>
#include <string>

#include "cli/plan_text.h"

namespace berth::cli {
namespace {

constexpr std::chrono::milliseconds kLongPlan{5 * 60'000};  ///< files on the node are read for it, and a repository may be slow

}  // namespace

Result<Exit> show_plan(const Console& console, ApiCall call) {
  call.deadline = kLongPlan;
  BERTH_TRY(const auto answer, ApiClient(console).call(call));
  const Exit exit = exit_of_plan(answer.body);
  if (console.json) {
    console.document(answer.body);
    return exit;
  }
  if (!console.quiet) console.print(console.advice(plan_text(answer.body, console.colour, console.room())));
  if (const std::string refused = refusals_text(answer.body); !refused.empty()) console.warn("it would be refused: " + refused);
  else console.note("Nothing was changed.");
  return exit;
}

}  // namespace berth::cli
