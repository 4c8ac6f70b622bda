def late():
    import late_one as one

    return one.NAME


try:
    import there_is_none
except ImportError:
    import instead as there_is_none

class Scope:
    import in_class

match late():
    case name:
        import in_case


print(name, there_is_none.NAME, Scope.in_class.NAME, in_case.NAME)
