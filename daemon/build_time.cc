#include "daemon/build_time.h"

namespace berth {

std::int64_t build_time() { return BERTH_BUILD_TIME; }

}  // namespace berth
