#include "daemon/deploy/rollout.h"

#include <algorithm>

namespace berth::deploy {

Step next_step(const Replacing& now) {
  Step step;
  const int room = now.wanted + now.surge - now.old_all - now.new_all;
  step.start = std::max(0, std::min(room, now.wanted - now.new_all));
  const int fewest = std::max(0, now.wanted - now.unavailable);
  // What is new and does not serve yet may be on its way: it is counted as there, but not as serving.
  const int spare = std::max(0, now.old_all + now.new_serving - fewest);
  step.stop_unready = std::min(now.old_all - now.old_ready, spare);
  const int spare_ready = std::max(0, now.old_ready + now.new_serving - fewest);
  step.stop_ready = std::min(now.old_ready, spare_ready);
  return step;
}

Replacing with_limits(Replacing now, const spec::Deploy& rules) {
  now.surge = rules.max_surge.of(now.wanted, true);
  now.unavailable = rules.max_unavailable.of(now.wanted, false);
  if (now.surge == 0 && now.unavailable == 0) now.unavailable = 1;
  return now;
}

}  // namespace berth::deploy
