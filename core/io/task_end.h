#pragma once

#include <exception>
#include <string>

namespace berth::io {

/// What becomes of a task that ended. A coroutine that was cancelled may end by Asio's exception for that; any other is a broken
/// invariant, and ends the program with a line that names the task.
void end_of_task(const std::string& name, const std::exception_ptr& thrown);

}  // namespace berth::io
