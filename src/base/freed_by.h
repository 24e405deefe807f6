#pragma once

namespace writ {

/// Deleter of a std::unique_ptr over an object of a C library: FreedBy<SSL_free>.
template <auto kFree>
struct FreedBy {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};

}  // namespace writ
