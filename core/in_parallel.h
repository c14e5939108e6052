#pragma once

#include <cstddef>
#include <functional>

#include "core/result.h"

namespace berth {

/// How many threads share the work of one operation that reads files: two for each processor this process may use, since some wait for the disk; four at most.
std::size_t threads_worthwhile();

/// Calls `work(number, thread)` for every number below `count`, on `threads` threads of which the caller's is one. Numbers are taken in their order;
/// `thread`, below `threads`, tells whose turn it is, so that each can have a buffer of its own. After a failure no higher number is begun. Which failure
/// is returned does not depend on the threads' turns: the one of the lowest number. Returns when all threads are done.
Result<void> in_parallel(std::size_t count, std::size_t threads, const std::function<Result<void>(std::size_t number, std::size_t thread)>& work);

}  // namespace berth
