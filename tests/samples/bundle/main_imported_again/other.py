def again():
    import main

    return main
