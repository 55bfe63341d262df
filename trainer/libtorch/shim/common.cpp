// The C interface of src/foreign/failure.rs.

#include <unistd.h>

#include <cstdlib>

extern "C" {

void bunri_free(char* text) {
  std::free(text);
}

// Ends the process without the destructors of static objects, which other threads still use.
void bunri_exit_at_once(int code) {
  _exit(code);
}

} // extern "C"
