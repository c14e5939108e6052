#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "cli/doctor/subject.h"

namespace berth::cli::doctor {

/// What belongs to somebody, as the database and berthd know it.
struct Belongings {
  std::set<std::pair<std::string, std::string>> slots;  ///< app, release
  std::set<std::string> deployments;                     ///< numbers of those that have not ended
  std::set<std::string> keeper_keys;                     ///< of instances and jobs
  std::set<std::uint16_t> ports;                         ///< private ones
  bool busy = false;  ///< something is under way, and what belongs to whom changes meanwhile
};

/// Fails as the database does.
Result<Belongings> read_belongings(const Subject& subject);

}  // namespace berth::cli::doctor
