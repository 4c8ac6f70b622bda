"""A leaf."""


# before it
def there(a, *, b=1):
    '''It's there.'''
    return a


class Thing:
    def method(self):
        return r'\d'
