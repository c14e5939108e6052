#pragma once

#include <memory>
#include <string>

#include "daemon/ship/sink.h"

namespace berth::ship {

/// What a format makes of an origin, made once for entries of the same one that follow each other.
class OriginText {
 public:
  using Make = std::string (*)(const Origin&);
  explicit OriginText(Make make) : make_(make) {}

  const std::string& of(const std::shared_ptr<const Origin>& origin) {
    if (origin_ != origin) {
      text_ = make_(*origin);
      origin_ = origin;
    }
    return text_;
  }

 private:
  Make make_;
  std::shared_ptr<const Origin> origin_;
  std::string text_;
};

/// What stands for the program: the app, or berthd where the entry is its own or an event of the node.
inline const std::string& program_of(const Origin& origin) {
  static const std::string kOwn = "berthd";
  return origin.app.empty() ? kOwn : origin.app;
}

}  // namespace berth::ship
