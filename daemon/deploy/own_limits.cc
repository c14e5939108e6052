#include "daemon/deploy/own_limits.h"

#include <fstream>

#include <fmt/core.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/spec/resource_words.h"

namespace berth::deploy {
namespace {

bool has_capability(int number) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (::syscall(SYS_capget, &header, data) != 0) return true;  // then the kernel says it, when it is too late for a better word
  return (data[number / 32].effective >> (number % 32) & 1) != 0;
}

std::string text_of(std::uint64_t value) { return value == ResourceLimit::kInfinity ? std::string("\"infinity\"") : fmt::format("{}", value); }

Result<void> check(const OwnLimits& own, const spec::ResourceWord& word, std::uint64_t hard) {
  if (word.resource == RLIMIT_NOFILE && hard > own.most_files) {
    return fail(Errc::io, fmt::format("{} of its limits says {}, and this node's kernel lets no process have more than {} (fs.nr_open): say at most that in berth.toml and release "
                                      "anew, or raise fs.nr_open by sysctl",
                                      word.word, text_of(hard), own.most_files));
  }
  const auto mine = own.resources.find(word.resource);
  if (own.may_raise || mine == own.resources.end() || hard <= mine->second.hard) return {};
  return fail(Errc::io, fmt::format("{} of its limits says {}, and berthd, which lacks CAP_SYS_RESOURCE, can give no more than its own hard limit, {}: say at most that in berth.toml "
                                    "and release anew, or start berthd with a higher {}, or with that capability",
                                    word.word, text_of(hard), text_of(mine->second.hard), word.word));
}

}  // namespace

OwnLimits read_own_limits() {
  OwnLimits own{.may_raise = has_capability(CAP_SYS_RESOURCE)};
  if (std::ifstream file("/proc/sys/fs/nr_open"); !(file >> own.most_files)) own.most_files = ResourceLimit::kInfinity;
  for (const spec::ResourceWord& word : spec::resource_words()) {
    rlimit limit{};
    if (::getrlimit(static_cast<__rlimit_resource>(word.resource), &limit) == 0) own.resources[word.resource] = {limit.rlim_cur, limit.rlim_max};
  }
  return own;
}

Result<void> check_limits(const OwnLimits& own, const spec::Limits& limits) {
  for (const spec::ResourceWord& word : spec::resource_words()) {
    const auto wanted = limits.resources.find(word.resource);
    if (wanted != limits.resources.end()) BERTH_CHECK(check(own, word, wanted->second.hard));
  }
  return {};
}

}  // namespace berth::deploy
