// The frames of a one-off command, as berthd takes them from its client and `berth exec` from a node.

#include <string>

#include "core/exec_frame.h"
#include "tests/fuzz/fuzz.h"

using namespace berth;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string buffer(fuzz::text_of(data, size));
  for (;;) {
    const std::size_t before = buffer.size();
    const auto frame = exec_frame::take(buffer);
    if (!frame || !*frame) {
      fuzz::must(buffer.size() == before, "bytes were taken of no frame");
      return 0;
    }
    fuzz::must((*frame)->bytes.size() <= exec_frame::kMostBytes, "a frame is longer than it may be");
    fuzz::must(before - buffer.size() == (*frame)->bytes.size() + 5, "a frame took something else than its bytes");
    static_cast<void>(exec_frame::size_of(**frame));
    static_cast<void>(exec_frame::room_of(**frame));
    static_cast<void>(exec_frame::signal_of(**frame));
    if (const auto end = exec_frame::end_of(**frame)) fuzz::must(end->message.size() + 4 == (*frame)->bytes.size(), "an end has another message");
  }
}
